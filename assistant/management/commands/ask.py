"""One question, from the terminal."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.core.management.color import Style
from django.utils import translation

from assistant.models import Channel, Question
from assistant.payload import question_payload
from assistant.services import ask_question
from assistant.validation import InvalidInput
from knowledge.language import detect_language
from knowledge.models import Language
from knowledge.plaintext import plain_text


class Command(BaseCommand):
    help = (
        "Asks one question as an anonymous customer would and prints the answer with its citations and its "
        "confidence, or the ticket that was opened. The question is stored like any other. "
        "Example: manage.py ask 'Wie pausiere ich mein Abo?'"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question", help="The question, in quotes.")
        parser.add_argument(
            "--language",
            choices=Language.values,
            help="Language of the question (default: told from the text).",
        )
        parser.add_argument("--email", default="", help="Where to reply, if a ticket has to be opened.")
        parser.add_argument("--json", action="store_true", help="Print the API's answer shape as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        text = options["question"]
        language = options["language"] or detect_language(text, fallback=Language.ENGLISH)
        with translation.override(language):
            try:
                question = ask_question(
                    text=text,
                    language=options["language"],
                    interface_language=language,
                    channel=Channel.CLI,
                    contact_email=options["email"],
                )
            except InvalidInput as error:
                raise CommandError(f"{error.field}: {error.message}", returncode=2) from error
            if options["json"]:
                self.stdout.write(
                    json.dumps(question_payload(question, to_asker=True), ensure_ascii=False, indent=2)
                )
            else:
                print_question(question, self.stdout, self.style)


def print_question(question: Question, out: OutputWrapper, style: Style) -> None:
    """A question and what became of it, for people at a terminal."""
    payload = question_payload(question, to_asker=True)
    confidence = payload["confidence"]
    out.write(style.MIGRATE_HEADING(f"? {question.text}"))
    if payload["answer"] is not None:
        for block in payload["answer"]["blocks"]:
            marks = "".join(f" [{number}]" for number in block["citations"])
            out.write(f"\n{plain_text(block['text'])}{marks}")
        out.write("")
        for citation in payload["citations"]:
            out.write(f"  [{citation['number']}] {citation['title']}  {citation['url']}")
    elif payload["ticket"] is not None:
        ticket = payload["ticket"]
        out.write(
            f"\nNo reliable answer ({ticket['reason']}). Ticket {ticket['reference']} goes to a person:"
            f"\n  {ticket['url']}"
        )
        for article in payload["closest"]:
            out.write(f"  closest: {article['title']}  {article['url']}")
    out.write(
        f"  confidence {confidence['score'] or 0:.0%} ({confidence['level']}; answers start at "
        f"{confidence['threshold'] or 0:.0%}), {payload['elapsed_ms']} ms"
    )
