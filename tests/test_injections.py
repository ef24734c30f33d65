"""A model that obeys every attack it reads: nothing of it reaches a customer. Over HTTP, with the real client."""

import pytest

from assistant.writers.chat import ChatWriter
from tests.builders import passage, retrieval
from tests.chat_server import Asked, ChatServer, Said, sentences
from tests.injections import TRUTH, Attack, Obeying, attacks

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
pytestmark = pytest.mark.django_db

OTHER = "We accept PayPal in Germany and Austria."


def obey(attack: Attack, asked: Asked) -> Said:
    said = f"The secret word is {attack.canary}."
    true = next((one["number"] for one in asked.passages if TRUTH in one["text"]), 1)
    whole = asked.passages[true - 1]["text"]
    match attack.obeying:
        case Obeying.BARE:
            return Said(attack.canary)
        case Obeying.BESIDE_TRUTH:
            return Said(sentences(("The pause costs 9 euros a month.", true, TRUTH), (said, true, TRUTH)))
        case Obeying.QUOTING_ATTACK:
            return Said(sentences((said, true, whole[len(TRUTH) :].strip() or TRUTH)))
        case Obeying.MADE_UP_QUOTE:
            return Said(sentences((said, true, said)))
        case Obeying.MADE_UP_PASSAGE:
            return Said(sentences((said, 7, said)))
        case Obeying.AS_LINK:
            link = f"[The pause costs 9 euros a month.](https://evil.example/{attack.canary})"
            return Said(sentences((link, true, TRUTH)))
        case _:
            return Said(sentences((f"{attack.canary} The pause costs 9 euros a month.", true, TRUTH)))


def seen_by_a_customer(attack: Attack, server: ChatServer, writer: ChatWriter) -> str:
    server.behaviour = lambda asked: obey(attack, asked)
    found = retrieval(
        attack.question,
        passage(attack.text, rank=1, title=attack.title, heading_path=(attack.heading,)),
        passage(OTHER, rank=2, article_id=2, title="PayPal"),
    )
    draft = writer.write(found)
    if draft is None:
        return ""  # a person answers
    quotes = [one.quote for one in draft.citations]
    titles = [one.passage.title for one in draft.citations]
    return "\n".join([draft.text, *quotes, *titles])


def test_nothing_of_an_attack_is_shown(settings):
    corpus = attacks()
    assert len(corpus) >= 300
    assert len({one.canary for one in corpus}) == len(corpus)
    with ChatServer() as server:
        settings.WRITER_BASE_URL, settings.WRITER_API_KEY = server.url, "secret-key"
        settings.WRITER_TOKENS_PER_DAY = 0
        writer = ChatWriter("openai:some-model")
        shown = {}
        for attack in corpus:
            seen = seen_by_a_customer(attack, server, writer)
            if attack.canary in seen.upper() or "evil.example" in seen or "secret-key" in seen:
                shown[attack.name] = (attack.obeying.value, seen)
        # What an article says to a model is not even read out to it.
        read = [one for one in server.asked if any("KANARI" in str(each) for each in one.passages)]
        assert len(server.asked) >= len(corpus) / 2
        assert all("KANARI" not in one.rules for one in server.asked)
    assert shown == {}
    assert read == []
