"""What the pages of the desk cost with many tickets."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.desk import rules
from assistant.desk.clock import keep_time
from assistant.desk.sweep import keep_the_rules
from assistant.models import Conversation, Priority, Question, Ticket, TicketReason, TicketStatus

_HELP = """\
Fills the database up to --tickets (three quarters of them settled) and asks for each page of the desk --rounds times,
in this process and signed in, after one round to warm up. Prints the median and the 95th percentile of its time,
and how many queries it took. Writes tickets and an account: use a DATA_DIR made for it.
"""
_BATCH = 2000
_WORDS = (
    "invoice",
    "address",
    "battery",
    "brake",
    "delivery",
    "pause",
    "contract",
    "refund",
    "helmet",
    "lock",
    "light",
    "tyre",
    "winter",
    "app",
    "account",
    "password",
    "insurance",
    "theft",
    "repair",
    "appointment",
)
_LIST = "/admin/assistant/ticket/"
_PAGES = {
    "waiting for us": f"{_LIST}",
    "mine": f"{_LIST}?queue=mine",
    "nobody's": f"{_LIST}?queue=unassigned",
    "overdue": f"{_LIST}?queue=overdue",
    "all": f"{_LIST}?queue=all",
    "all, last page": "",
    "urgent": f"{_LIST}?priority__exact=4",
    "search by reference": "",
    "search by words": f"{_LIST}?q=battery+refund",
    "poll": f"{_LIST}pulse/",
    "figures, 30 days": "/admin/desk-figures/",
    "figures, a year": "/admin/desk-figures/?days=365",
    "a ticket": "",
}


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tickets", type=int, default=50_000)
        parser.add_argument("--rounds", type=int, default=20)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["tickets"] < 1 or options["rounds"] < 1:
            raise CommandError("--tickets and --rounds: at least 1.")
        agents = _agents()
        added = _fill_up(options["tickets"], agents)
        self.stdout.write(f"{Ticket.objects.count()} tickets ({added} new), {connection.vendor}")
        client = Client(SERVER_NAME="localhost")
        client.force_login(agents[0])
        ticket = Ticket.objects.filter(status=TicketStatus.OPEN, question__isnull=False).latest("created_at")
        pages = _PAGES | {
            "all, last page": f"{_LIST}?queue=all&p={-(-Ticket.objects.count() // 50)}",
            "search by reference": f"{_LIST}?q={ticket.reference}",
            "a ticket": f"{_LIST}{ticket.pk}/change/",
        }
        for name, address in pages.items():
            queries, milliseconds = _measure(partial(client.get, address), options["rounds"])
            self._say(name, queries, milliseconds)
        queries, milliseconds = _measure(keep_the_rules, min(5, options["rounds"]))
        self._say("a sweep", queries, milliseconds)

    def _say(self, name: str, queries: int, milliseconds: list[float]) -> None:
        middle, high = np.percentile(milliseconds, [50, 95])
        self.stdout.write(f"{name:<22} p50 {middle:6.1f} ms   p95 {high:6.1f} ms   {queries:3d} queries")


def _measure(visit: Callable[[], Any], rounds: int) -> tuple[int, list[float]]:
    with CaptureQueriesContext(connection) as captured:
        response = visit()
    queries = len(captured)  # before the next request forgets them
    if response is not None and response.status_code != 200:
        raise CommandError(f"The page answered {response.status_code}.")
    milliseconds = []
    for _round in range(rounds):
        started = time.perf_counter()
        visit()
        milliseconds.append((time.perf_counter() - started) * 1000)
    return queries, milliseconds


def _agents() -> list[Any]:
    users = get_user_model()._default_manager
    agents = []
    for number in range(5):
        user, _is_new = users.get_or_create(
            username=f"benchmark-{number}", defaults={"is_staff": True, "is_superuser": True}
        )
        agents.append(user)
    return agents


def _fill_up(tickets: int, agents: list[Any]) -> int:
    """Three quarters are settled; the rest is open, pending or without an address, opened in the last fortnight."""
    chance = random.Random(7)  # noqa: S311  (a benchmark, not a secret)
    missing = max(0, tickets - Ticket.objects.count())
    policy, now = rules.current(), timezone.now()
    for start in range(0, missing, _BATCH):
        size = min(_BATCH, missing - start)
        with transaction.atomic():
            conversations = Conversation.objects.bulk_create(Conversation() for _n in range(size))
            questions = Question.objects.bulk_create(
                Question(
                    conversation=conversation,
                    text=" ".join(chance.choices(_WORDS, k=chance.randint(6, 25))),
                    language=chance.choice(("de", "en")),
                    channel="page",
                    status="escalated",
                )
                for conversation in conversations
            )
            rows = [_ticket(question, chance, agents, now) for question in questions]
            for row in rows:
                keep_time(row, policy=policy, now=now)
            Ticket.objects.bulk_create(rows)
            for row in rows:
                Ticket.objects.filter(pk=row.pk).update(created_at=row.completed_at or now)
    return missing


def _ticket(question: Question, chance: random.Random, agents: list[Any], now: Any) -> Ticket:
    status = chance.choices(
        (
            TicketStatus.OPEN,
            TicketStatus.PENDING,
            TicketStatus.AWAITING_CONTACT,
            TicketStatus.SOLVED,
            TicketStatus.CLOSED,
        ),
        (10, 10, 5, 25, 50),
    )[0]
    is_settled = status in (TicketStatus.SOLVED, TicketStatus.CLOSED)
    opened = now - timedelta(minutes=chance.randint(1, 60 * 24 * (600 if is_settled else 14)))
    has_contact = status != TicketStatus.AWAITING_CONTACT
    return Ticket(
        question=question,
        conversation=question.conversation,
        reference=f"T-B{question.pk:07d}",  # of chance ones two are sometimes the same
        subject=question.text[:80],
        reason=chance.choice(TicketReason.values),
        status=status,
        priority=chance.choices(Priority.values, (10, 70, 15, 5))[0],
        language=question.language,
        assignee=chance.choice([*agents, None, None]),
        contact_email=f"customer{chance.randint(1, 20_000)}@example.org" if has_contact else "",
        completed_at=opened if has_contact else None,
        customer_wrote_at=opened if has_contact else None,
        first_replied_at=opened + timedelta(hours=2)
        if status == TicketStatus.PENDING or is_settled
        else None,
    )
