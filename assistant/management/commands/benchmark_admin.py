"""How long the desk's pages take, and how many queries, beside thousands of articles."""

import time
from typing import Any
from uuid import uuid4

import numpy as np
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from knowledge.filler import fill_up
from knowledge.models import Article, Passage

_HELP = """\
Opens lists and forms of the admin again and again as a superuser, inside this process, and prints the median and the
slowest time and the number of queries of each. Writes articles and an account: use a DATA_DIR made for it, with
articles imported (`import_articles knowledge/demo --publish --source demo`).
"""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--articles", type=int, default=10_000, help="Fill the database up to this many first."
        )
        parser.add_argument("--rounds", type=int, default=10, help="How often each page is opened.")

    def handle(self, *args: Any, **options: Any) -> None:
        missing = options["articles"] - Article.objects.count()
        if missing > 0:
            try:
                fill_up(Passage.objects.count() + missing)  # one passage each
            except ValueError as error:
                raise CommandError(str(error)) from error
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.create_superuser(f"benchmark-{uuid4().hex[:8]}"))
        article = Article.objects.exclude(source="filler").order_by("pk").first()
        if article is None:
            raise CommandError("There is no article.")
        articles = reverse("admin:knowledge_article_changelist")
        pages = {
            "articles": articles,
            "articles, last page": f"{articles}?p={(Article.objects.count() + 49) // 50}",
            "articles, filtered": f"{articles}?status__exact=published&language__exact=de&index=ready",
            "articles, by views": f"{articles}?o=-6",
            "articles, found": f"{articles}?q=What+does+a+pause+cost",
            "article, form": reverse("admin:knowledge_article_change", args=[article.pk]),
            "article, figures": reverse("admin:article_figures", args=[article.pk]),
            "questions": reverse("admin:assistant_question_changelist"),
            "tickets": reverse("admin:assistant_ticket_changelist"),
            "what to write next": reverse("admin:gaps"),
        }
        self.stdout.write(f"{Article.objects.count()} articles, {connection.vendor}")
        for name, address in pages.items():
            self._measure(client, name, address, options["rounds"])

    def _measure(self, client: Client, name: str, address: str, rounds: int) -> None:
        with CaptureQueriesContext(connection) as queries:
            _open(client, address)  # not timed: it loads what the next ones find loaded
        asked = len(queries)  # now: the next request forgets them
        seconds = []
        for _round in range(rounds):
            started = time.perf_counter()
            _open(client, address)
            seconds.append(time.perf_counter() - started)
        p50 = float(np.median(seconds)) * 1000
        self.stdout.write(
            f"  {name:22} p50 {p50:6.0f} ms   slowest {max(seconds) * 1000:6.0f} ms   {asked:3} queries"
        )


def _open(client: Client, address: str) -> None:
    response = client.get(address)
    if response.status_code != 200:
        raise CommandError(f"{address} answered with {response.status_code}.")
