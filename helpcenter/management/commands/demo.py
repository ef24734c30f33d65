"""Everything a stranger needs to see the product work: `make demo` calls this."""

import os
import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from assistant.management.commands.ask import print_question
from assistant.models import Channel
from assistant.services import ask_question
from knowledge.site import SiteSettings

CONTENT = settings.BASE_DIR / "knowledge" / "demo"
PASSWORD = "havelrad-demo"  # noqa: S105  (printed on screen; the demo has a database of its own)
SAMPLE_QUESTIONS = (
    ("en", "What happens if my payment fails?"),
    ("de", "Wie kann ich mein Abo kündigen?"),
    ("en", "Do you also rent out camper vans for the summer holidays?"),
)


class Command(BaseCommand):
    help = (
        "Sets up the demo help center (an invented e-bike subscription, German and English): database, logins, "
        "articles, index. Asks three sample questions, then serves. Safe to run again. Use a DATA_DIR of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="Stop before serving.")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        self._make_logins()
        self._let_itself_embed_the_widget(options["port"])
        call_command("import_articles", str(CONTENT), publish=True, source="demo")
        for number, (language, text) in enumerate(SAMPLE_QUESTIONS, start=1):
            with translation.override(language):
                question = ask_question(
                    text=text,
                    interface_language=language,
                    channel=Channel.CLI,
                    idempotency_key=f"demo-question-{number}",
                )
            self.stdout.write("")
            print_question(question, self.stdout, self.style)
        if options["no_serve"]:
            self.stdout.write("\nReady. `make demo` serves it, `make demo SERVE=0` stops here.")
            return
        self.stdout.write(
            f"\nLogins for the admin: admin, editor, support. For customers: customer. Password: {PASSWORD}\n"
        )
        if settings.WIDGET_DEMO:
            self.stdout.write(
                f"The widget on another page: http://localhost:{options['port']}/widget/demo/\n"
            )
        self.stdout.flush()
        # Not called in here: this process holds the model and the index folder, and serving needs neither.
        serve = ["manage.py", "serve", "--host", options["host"], "--port", str(options["port"])]
        os.execv(sys.executable, [sys.executable, *serve])  # noqa: S606

    def _let_itself_embed_the_widget(self, port: int) -> None:
        """For /widget/demo/. What an administrator has set since stays."""
        hosts = "\n".join(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1"))
        SiteSettings.objects.get_or_create(pk=1, defaults={"widget_hosts": hosts})

    def _make_logins(self) -> None:
        for name, is_staff, is_superuser, group in (
            ("admin", True, True, None),
            ("editor", True, False, "Editors"),
            ("support", True, False, "Support"),
            ("customer", False, False, None),
        ):
            user, created = User.objects.get_or_create(
                username=name,
                defaults={
                    "email": f"{name}@havelrad.example",
                    "is_staff": is_staff,
                    "is_superuser": is_superuser,
                },
            )
            if created:
                user.set_password(PASSWORD)
                user.save()
            if group is not None:
                user.groups.add(Group.objects.get_or_create(name=group)[0])
