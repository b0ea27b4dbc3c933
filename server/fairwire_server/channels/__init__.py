"""Ways out of the fair: email by SMTP, and the outbox page of the embedded default.

`Channel` is the interface, `Post` sends through one in the background. SMS providers come with a later issue: until then a
mobile address is reached only where everything goes to the outbox page, and `reaches("mobile")` is false beside real mail.
"""
