"""Groups to begin with, for who writes, approves and publishes, and who settles tickets, looks at figures and decides.

They are a start, not a policy: a group that exists is left as its administrator made it. What a later version adds
to a role reaches such a group when somebody says so (`manage.py roles --add`). tests/role_matrix.txt has what each
may open.
"""

from dataclasses import dataclass
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

# Everything that the administration offers. Superusers alone make superusers and grant rights outside of groups.
_ADMINISTRATORS = (
    "assistant.*",
    "knowledge.*",
    *(f"auth.{verb}_{model}" for model in ("user", "group") for verb in ("view", "add", "change", "delete")),
    "mfa.view_authenticator",
    "mfa.delete_authenticator",  # resets the second factor of whoever has lost theirs
)

ROLES: Final[dict[str, tuple[str, ...]]] = {
    # An account and no member of staff: what is for customers opens with the account itself.
    "Customers": (),
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
        "assistant.view_stafftext",
        "assistant.view_quality",
        "assistant.recalibrate",
    ),
    "Administrators": _ADMINISTRATORS,
}


def ensure_groups(**_signal: Any) -> None:
    """Creates what is missing. Safe to repeat, and to connect to post_migrate."""
    for label in ("auth", "mfa", "knowledge", "assistant"):
        # Django makes permissions by a receiver of the same signal; whose turn comes first is an accident.
        create_permissions(apps.get_app_config(label), verbosity=0)
    for name, permissions in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_permissions(permissions))


@dataclass(frozen=True)
class Difference:
    """How a group differs from its role as this version ships it."""

    role: str
    missing: tuple[Permission, ...]  # of the role, and not of the group
    added: tuple[Permission, ...]  # of the group, and not of the role


def differences() -> list[Difference]:
    """Of the groups that bear a role's name."""
    found = []
    for group in Group.objects.filter(name__in=ROLES).order_by("name").prefetch_related("permissions"):
        shipped, has = set(_permissions(ROLES[group.name])), set(group.permissions.all())
        if shipped != has:
            found.append(Difference(group.name, _sorted(shipped - has), _sorted(has - shipped)))
    return found


def add_missing(role: str) -> Difference | None:
    """Gives the group what its role has by now and takes nothing. None where it lacked nothing."""
    difference = next((one for one in differences() if one.role == role and one.missing), None)
    if difference is not None:
        Group.objects.get(name=role).permissions.add(*difference.missing)
    return difference


def _sorted(permissions: set[Permission]) -> tuple[Permission, ...]:
    return tuple(sorted(permissions, key=lambda one: (one.content_type_id, one.codename)))


def _permissions(names: tuple[str, ...]) -> list[Permission]:
    """`assistant.*` is every one of that application."""
    wanted = Q(pk__in=[])
    for name in names:
        app_label, codename = name.split(".")
        wanted |= (
            Q(content_type__app_label=app_label)
            if codename == "*"
            else Q(content_type__app_label=app_label, codename=codename)
        )
    return list(Permission.objects.filter(wanted).select_related("content_type"))
