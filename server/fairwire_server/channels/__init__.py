"""Channels: how words leave the server — email, the outbox page."""
