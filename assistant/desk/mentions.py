"""@name in an internal note: whoever is meant gets an e-mail with the note and the ticket's address."""

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from assistant.desk.actions import note_in_history
from assistant.models import TicketMessage
from assistant.outbox import owe_mention

_MENTION = re.compile(r"(?<![\w@.])@([\w.+-]{1,150})", re.UNICODE)
_MOST = 20


def mentioned(text: str) -> list[Any]:
    """The active agents who are named, in no order. A full stop at the end of a sentence belongs to no name."""
    names = {name.casefold() for found in _MENTION.findall(text) for name in (found, found.rstrip(".-"))}
    if not names:
        return []
    staff = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
    found = staff.annotate(_name=Lower("username")).filter(_name__in=list(names)[: 2 * _MOST])
    return [user for user in found if user.has_perm("assistant.view_ticket")][:_MOST]


def tell_mentioned(note: TicketMessage) -> list[Any]:
    """Part of the caller's transaction. Those who are told: nobody who has no address, and not its author."""
    if not note.is_internal:
        return []
    told = [user for user in mentioned(note.body) if user.email and user.pk != note.author_id]
    for user in told:
        owe_mention(note, user.email)
    if told:
        names = ", ".join(user.get_username() for user in told)
        note_in_history(ticket=note.ticket, why=_("Mentioned in a note: %(names)s") % {"names": names})
    return told
