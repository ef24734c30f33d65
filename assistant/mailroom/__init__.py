"""E-mail that comes in: stored as it came, then read, matched to its ticket, and filed.

A mail goes `inbox.accept` (a row with its bytes) → `filing.file_mail` (a reply, a note, a ticket, or nothing that
is answered) → `drafting` (what the assistant would say, for staff). Ways in: `imap`, `receiving`, `receive_mail`.
"""
