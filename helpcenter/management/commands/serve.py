"""serve: the help center and everything that it needs, on this machine, until Ctrl+C."""

import signal
import threading
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from helpcenter.serving import Options, ServeError, fitting_processes, run
from helpcenter.static_files import collect_static
from knowledge.vectors import reset_store

_HELP = """\
Serve the help center on this machine: web pages, admin and API, the vector server, and the process that makes
edits answerable within seconds. Ctrl+C stops everything.

One `serve` runs for a DATA_DIR. Other commands (import_articles, sync_index, ask) may be used meanwhile: they
find the running vector server and share it. With CHROMA_URL set, that server is used and none is started.
"""
_EPILOG = """\
exit code: 0 stopped by a person or a signal, 1 could not start or a server kept failing

examples:
  manage.py serve
  manage.py serve --host 0.0.0.0 --port 80          behind a reverse proxy, set ALLOWED_HOSTS as well
  DATA_DIR=/srv/second manage.py serve --port 8001  a second, independent help center
"""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, epilog=_EPILOG, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on; default: this machine only"
        )
        parser.add_argument("--port", type=_between(1, 65535), default=8000, help="default: 8000")
        parser.add_argument(
            "--processes",
            type=_between(1, 16),
            default=fitting_processes(),
            help="web processes; each takes 0.5 GB, one a core where many people come; default here: %(default)s "
            "(2 with several cores and 3 GB of memory, otherwise 1)",
        )
        parser.add_argument(
            "--threads",
            type=_between(1, 64),
            default=8,
            help="requests that each process answers at the same time; default: 8",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError(_("The database is not up to date; run `manage.py migrate` first."))
        connection.close()
        reset_store()  # a command that calls this one may have the folder open
        collect_static(settings.DATA_DIR / "static.sha256")
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: stopped.set())
        try:
            run(
                Options(
                    host=options["host"],
                    port=options["port"],
                    processes=options["processes"],
                    threads=options["threads"],
                    index_folder=settings.INDEX_DIR,
                    log_folder=settings.DATA_DIR / "log",
                    runs_vector_server=not settings.CHROMA_URL,
                ),
                cancelled=stopped.is_set,
                say=self._say,
            )
        except ServeError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if not lowest <= value <= highest:
            raise ArgumentTypeError(f"found {text!r}; allowed: {lowest} to {highest}")
        return value

    return read
