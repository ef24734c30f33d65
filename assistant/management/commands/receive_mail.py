"""Takes one mail from standard input, as mail servers hand mails to programs."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from assistant.mailroom import inbox
from assistant.mailroom.models import Source


class Command(BaseCommand):
    help = (
        "Stores one raw mail from standard input; the sweep of `serve`, or beat, files it within seconds. For pipes: "
        "exit code 0 means that the mail is stored, 75 that the mail server should try again later, 65 that it is "
        "too large or empty and should go back to its sender. Example: manage.py receive_mail < message.eml"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="return_path",
            help="Sender of the envelope; empty for bounces. Postfix: ${sender}.",
        )
        parser.add_argument("--file", action="store_true", help="File it at once, where no sweep runs.")

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(inbox.max_bytes() + 1)
        if not raw.strip():
            raise CommandError("Nothing came on standard input.", returncode=65)
        return_path = options["return_path"]
        try:
            mail, is_new = inbox.accept(
                raw,
                source=Source.PIPE,
                return_path=return_path.strip("<> ") if return_path is not None else None,
            )
        except inbox.TooLarge as error:
            raise CommandError(f"The message has {error}.", returncode=65) from error
        except DatabaseError as error:
            raise CommandError(f"The message could not be stored: {error}", returncode=75) from error
        if options["file"]:
            inbox.process(mail.pk)
        self.stdout.write(f"{'stored' if is_new else 'known'}: {mail.pk}")
