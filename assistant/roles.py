"""Groups to begin with, for who writes, approves and publishes, and who settles tickets, looks at figures and decides.

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
    "assistant.view_cannedreply",
    "assistant.add_cannedreply",
    "assistant.change_cannedreply",
    "assistant.view_lesson",
    "assistant.view_rating",
    "assistant.view_knownproblem",
    "assistant.add_knownproblem",
    "assistant.change_knownproblem",
    "assistant.view_deskrules",
    "assistant.view_holiday",
    "assistant.view_rotamember",
)
_DESK = (
    "assistant.add_deskrules",
    "assistant.change_deskrules",
    "assistant.add_holiday",
    "assistant.change_holiday",
    "assistant.delete_holiday",
    "assistant.add_rotamember",
    "assistant.change_rotamember",
    "assistant.delete_rotamember",
    "assistant.delete_cannedreply",
)

_AUTHORS = (
    *_SEEN_BY_ALL,
    *_RECORDS,
    "knowledge.add_article",
    "knowledge.change_article",
    "knowledge.view_articletemplate",
)
_REVIEWERS = (*_AUTHORS, "knowledge.review_article")
_PUBLISHERS = (*_REVIEWERS, "knowledge.publish_article")

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "Authors": _AUTHORS,
    "Reviewers": _REVIEWERS,
    "Publishers": _PUBLISHERS,
    "Editors": (
        *_PUBLISHERS,
        "knowledge.add_articletemplate",
        "knowledge.change_articletemplate",
        "knowledge.delete_articletemplate",
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
        "assistant.view_lesson",
        "assistant.change_lesson",
    ),
    "Support": _SUPPORT,
    "Analysts": (
        *_SEEN_BY_ALL,
        *_RECORDS,
        "assistant.view_rating",
        "assistant.view_modelusage",
        "assistant.view_quality",
    ),
    "Leads": (
        *_SUPPORT,
        *_DESK,
        "assistant.view_modelusage",
        "assistant.view_quality",
        "assistant.recalibrate",
    ),
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
