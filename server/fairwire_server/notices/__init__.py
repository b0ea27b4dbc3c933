"""Notices (通知): who is told what, when and through which channel; planned with what they tell of, claimed when due (N1–N10)."""
