"""Who is who at a fair: parties, accounts, sign-in, addresses (A1-A9)."""
