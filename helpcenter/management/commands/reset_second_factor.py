"""For the last administrator whose phone is lost: whoever has the machine gives them the way back in."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpcenter.accounts.user_admin import reset_second_factor


class Command(BaseCommand):
    help = "Removes an account's second factor and recovery codes, so that its password alone signs in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the account's user name")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["username"]
        user = get_user_model()._default_manager.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no account named {name!r}.")
        if not reset_second_factor(user):
            self.stdout.write(f"{name} has no second factor; nothing was changed.")
            return
        self.stdout.write(
            f"The second factor of {name} is removed; the account's history has an entry. Where STAFF_MFA=required, "
            "the next sign-in asks for a new one."
        )
