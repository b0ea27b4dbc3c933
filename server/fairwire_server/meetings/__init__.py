"""Meetings (预约洽谈): slots, bookings, who receives them, who enters, and what happened (M1–M15)."""
