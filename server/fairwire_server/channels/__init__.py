"""Ways out of the fair: email by SMTP, short messages by SMPP and by providers' HTTP, and the outbox page of the embedded default.

`notices/parcels.py` says what a channel takes and promises; `build.py` makes those that the settings name, `post.py` sends codes
through them in the background.
"""
