"""Streams: the durable logs every device of an account reads (W2–W6)."""
