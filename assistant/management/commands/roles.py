"""What the groups may do, beside what their roles are shipped with."""

from typing import Any

from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assistant.roles import ROLES, add_missing, differences, ensure_groups


class Command(BaseCommand):
    help = (
        "Shows how the groups differ from the roles of this version. A group is never changed by an upgrade; --add "
        "gives one what its role has gained since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--add", metavar="ROLE", help=f"one of: {', '.join(ROLES)}")

    def handle(self, *args: Any, **options: Any) -> None:
        role: str | None = options["add"]
        ensure_groups()
        if role is not None:
            if role not in ROLES:
                raise CommandError(f"--add: {role!r} is no role. Allowed: {', '.join(ROLES)}.")
            added = add_missing(role)
            gained = added.missing if added is not None else ()
            self.stdout.write(f"{role}: {len(gained)} added." if gained else f"{role} lacks nothing.")
            for permission in gained:
                self.stdout.write(f"  + {_named(permission)}")
            return
        found = differences()
        if not found:
            self.stdout.write("Every group has what its role is shipped with.")
        for one in found:
            self.stdout.write(one.role)
            for permission in one.missing:
                self.stdout.write(f"  - {_named(permission)} (of the role, not of this group)")
            for permission in one.added:
                self.stdout.write(f"  + {_named(permission)} (added here)")
        if any(one.missing for one in found):
            self.stdout.write("To give a group what it lacks: manage.py roles --add ROLE")


def _named(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
