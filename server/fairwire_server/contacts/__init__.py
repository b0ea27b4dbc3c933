"""Contacts: the recent list, stars, pins, the customer base (K1–K4)."""
