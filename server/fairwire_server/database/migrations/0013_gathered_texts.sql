-- Texts are gathered before they go into the index of words, about a thousand at a time: written few at a time, as they are now, it
-- takes half of the work and the latest of a hundred messages come sooner. A search reads what is gathered besides the index.
ALTER INDEX message_search_tokens SET (fastupdate = on, gin_pending_list_limit = 1024);
