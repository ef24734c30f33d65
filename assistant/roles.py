"""Groups to begin with: Editors write articles, Support settles tickets, Analysts look at figures, Leads decide.

They are a start, not a policy: a group that exists is left as its administrator made it.
"""

from typing import Any, Final

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

_SEEN_BY_ALL = ("knowledge.view_article", "knowledge.view_category", "knowledge.view_passage")
_RECORDS = ("assistant.view_question", "assistant.view_feedback")
_SUPPORT = (
    *_SEEN_BY_ALL,
    *_RECORDS,
    "assistant.view_ticket",
    "assistant.change_ticket",
    "assistant.view_ticketmessage",
    "assistant.add_ticketmessage",
    "assistant.add_label",
    "assistant.view_inboundmail",
    "assistant.change_inboundmail",
    "assistant.view_mailbox",
    "assistant.view_escalationphrase",
    "assistant.add_escalationphrase",
    "assistant.change_escalationphrase",
    "assistant.delete_escalationphrase",
)

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "Editors": (
        *_SEEN_BY_ALL,
        "knowledge.add_article",
        "knowledge.change_article",
        "knowledge.add_category",
        "knowledge.change_category",
        "knowledge.delete_category",
        "knowledge.view_importrun",
        "knowledge.add_importrun",
        "knowledge.change_importrun",
        "knowledge.view_synonymgroup",
        "knowledge.add_synonymgroup",
        "knowledge.change_synonymgroup",
        "knowledge.delete_synonymgroup",
        *_RECORDS,
    ),
    "Support": _SUPPORT,
    "Analysts": (*_SEEN_BY_ALL, *_RECORDS, "assistant.view_quality"),
    "Leads": (*_SUPPORT, "assistant.view_quality", "assistant.recalibrate"),
}


def ensure_groups(**_signal: Any) -> None:
    """Creates what is missing. Safe to repeat, and to connect to post_migrate."""
    for label in ("assistant", "knowledge"):
        # Django makes permissions by a receiver of the same signal; whose turn comes first is an accident.
        create_permissions(apps.get_app_config(label), verbosity=0)
    for name, permissions in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_permissions(permissions))


def _permissions(names: tuple[str, ...]) -> list[Permission]:
    wanted = Q()
    for name in names:
        app_label, codename = name.split(".")
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    return list(Permission.objects.filter(wanted))
