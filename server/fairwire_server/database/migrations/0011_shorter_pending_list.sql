-- The indexer merges what is pending into the index as often as this many KiB have gathered, in the middle of an INSERT. Four times as
-- often is a quarter as long: with 512 a merge took the processor from messages for up to a tenth of a second.
ALTER INDEX message_search_tokens SET (gin_pending_list_limit = 128);
