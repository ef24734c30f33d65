"""The REST API, version 1: a face of assistant.services and of the articles' gate, nothing more.

It does not decide what may be read or answered; it parses, calls one service, and shows the outcome.
"""
