"""Conversations: messages, images, holders and transfers, search, keywords (C1-C19)."""
