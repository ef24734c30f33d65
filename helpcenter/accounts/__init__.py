"""Signing in: one door for all accounts, and behind it a second factor for those of staff.

The steps are django-allauth's. What is ours: which accounts have to have a second factor (`policy`, `middleware`), that
attempts count in all processes (`forms`), that e-mails leave through the outbox (`adapters`), and that everything
about a second factor stands in the account's history (`history`). Customers have no second factor; nobody signs up.
"""
