"""Who is who at a fair: parties, accounts, sign-in, addresses, teams, and the organiser's hand on them (A1-A9).

    rules        the capability table and the `Caller` it is asked for (A7); *_rules: the pure decisions of each part
    callers      session → `Caller`; commands: one transaction, the caller read again in it, one effect per cid (A6, W7)
    tokens       access and refresh tokens, digests of codes; sessions: sign-in's result and its life (W13)
    sign_in      by password, by code, activation; registration: a buyer registers itself (A3, A9)
    passwords    argon2id in a bounded pool; throttle: who may try now, without locking the victim out
    codes        sent to an address, judged in a transaction of their own; address_change: A8
    profile      what an account says of itself; changes: what follows from it, and who is told (A3, W5)
    team         sub-accounts and their limit; handover: what they hold moves in the same step (A2, A6)
    directory    the fair and its exhibitors; organiser: suspension, silence, the table, the audit log (A4)

What lies to the right of accounts (streams, contacts, chat), the hub and the channels come in as the functions of `ports`.
"""
