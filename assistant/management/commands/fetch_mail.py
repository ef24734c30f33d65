"""Takes mails from the mailbox of the settings."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections

from assistant.mailroom import imap, inbox
from assistant.mailroom.visiting import visit


class Command(BaseCommand):
    help = (
        "Takes new mails from the mailbox in IMAP_URL, stores and files them. `serve`, and beat with a broker, do so "
        "by themselves every IMAP_SECONDS; the command is for cron, for a look by hand, and with --loop for a "
        "process of its own. Exit code 75: the mailbox could not be reached, a retry may help."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", type=float, metavar="SECONDS", help="Look again every so many seconds.")
        parser.add_argument(
            "--only-store",
            action="store_true",
            help="Leave reading and filing to the sweep of `serve` or beat.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if imap.configured() is None:
                raise CommandError("IMAP_URL is not set (docs/mail.md).", returncode=78)
        except ValueError as error:
            raise CommandError(f"IMAP_URL: {error}", returncode=78) from error
        if options["loop"] is None:
            self._once(options["only_store"])
            return
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            try:
                self._once(options["only_store"])
            except CommandError as error:
                self.stderr.write(str(error))
            close_old_connections()
            stopped.wait(max(1.0, options["loop"]))

    def _once(self, only_store: bool) -> None:
        try:
            count = visit()
        except imap.MailboxUnavailable as error:
            raise CommandError(f"{settings.IMAP_URL.rpartition('@')[2]}: {error}", returncode=75) from error
        if count:
            self.stdout.write(f"{count} new")
        if not only_store:
            inbox.process_due()
