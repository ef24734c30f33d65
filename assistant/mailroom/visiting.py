"""Looks into the mailbox of the settings, one process at a time."""

import logging

from assistant.mailroom import imap
from knowledge.turns import Turn, our_turn

log = logging.getLogger(__name__)


def visit() -> int:
    """How many mails were new; 0 where no mailbox is set, or somebody else is there. Raises MailboxUnavailable."""
    account = imap.configured()
    if account is None:
        return 0
    # Two would be harmless, a mail is known by its digest; but each would be carried over the net twice.
    with our_turn(Turn.MAILBOX) as is_ours:
        return imap.fetch(account) if is_ours else 0


def visit_quietly() -> None:
    """For sweeps: a mailbox that is away stands in its row and in the log, and is tried again by itself."""
    try:
        visit()
    except imap.MailboxUnavailable as error:
        log.warning("The mailbox: %s", error)
