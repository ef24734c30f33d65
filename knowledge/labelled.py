"""Labelled questions: which articles answer what. Reads and writes them, and finds their articles here."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.models import Article, Language

# Names an article of this database that has no external id, because it was written here.
OWN_KEY = "pk:"


class BadQuestionFile(Exception):
    """Names file, line and reason."""


@dataclass(frozen=True)
class LabelledQuestion:
    id: str
    text: str
    language: str
    gold: frozenset[str]  # keys (see `key_of`) of the articles that answer it; empty: none does
    history: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()  # of the article's text, where the answer stands
    is_question: bool = True  # False: a remark in a conversation, which nobody has to answer
    is_incomplete: bool = False  # answered from the right article, and yet something was missing

    def as_row(self) -> dict[str, Any]:
        """A line of a question file, as `read_questions` reads it."""
        return {
            "id": self.id,
            "question": self.text,
            "language": self.language,
            "article_ids": sorted(self.gold),
            "history": list(self.history),
            **({"spans": list(self.spans)} if self.spans else {}),
            "incomplete": self.is_incomplete,
        }


def key_of(article: Article) -> str:
    return article.external_id or f"{OWN_KEY}{article.pk}"


def articles_of(questions: Iterable[LabelledQuestion]) -> dict[str, list[int]]:
    """Gold keys to the ids of the articles in this database; what is not here is not in it."""
    wanted = sorted({key for question in questions for key in question.gold})
    found: dict[str, list[int]] = {}
    for start in range(0, len(wanted), 500):
        keys = wanted[start : start + 500]
        rows = Article.objects.filter(external_id__in=keys).values_list("external_id", "pk")
        numbers = (key.removeprefix(OWN_KEY) for key in keys if key.startswith(OWN_KEY))
        own = [int(number) for number in numbers if number.isdecimal()]
        by_id = Article.objects.filter(pk__in=own).values_list("pk", flat=True)
        for key, pk in [*rows, *((f"{OWN_KEY}{pk}", pk) for pk in by_id)]:
            found.setdefault(key, []).append(pk)
    return found


def with_translations(article_ids: frozenset[int]) -> frozenset[int]:
    groups = Article.objects.filter(pk__in=article_ids).exclude(translation_group="")
    translations = Article.objects.filter(translation_group__in=groups.values("translation_group"))
    return article_ids | set(translations.values_list("pk", flat=True))


def read_questions(path: Path, *, language: str | None = None) -> tuple[list[LabelledQuestion], int]:
    """The labelled questions of a JSONL file and how many doubtful ones were left out."""
    questions: list[LabelledQuestion] = []
    left_out = 0
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadQuestionFile(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            question = _question(row)
        except (ValueError, KeyError, TypeError) as error:
            raise BadQuestionFile(
                f"{path}, line {number}: {error}. Every line is a JSON object with id, question, language "
                f"({' or '.join(Language.values)}), article_ids and, where there is one, history."
            ) from error
        if row.get("doubtful"):
            left_out += 1
        elif language is None or question.language == language:
            questions.append(question)
    return questions, left_out


def _question(row: Any) -> LabelledQuestion:
    if not isinstance(row, dict):
        raise TypeError("not a JSON object")
    missing = [key for key in ("question", "language", "article_ids") if key not in row]
    if missing:
        raise KeyError(f"missing {', '.join(missing)}")
    if row["language"] not in Language.values:
        raise ValueError(f"unknown language {row['language']!r}")
    text, gold, history = row["question"], row["article_ids"], row.get("history") or []
    if not isinstance(text, str) or not isinstance(gold, list) or not isinstance(history, list):
        raise TypeError("question must be a text, article_ids and history lists")
    return LabelledQuestion(
        id=str(row.get("id", "")),
        text=text,
        language=row["language"],
        gold=frozenset(str(one) for one in gold),
        history=tuple(str(turn) for turn in history),
        spans=tuple(str(span) for span in row.get("spans") or () if str(span).strip()),
        is_question=bool(row.get("is_question", True)),
        is_incomplete=bool(row.get("incomplete")),
    )
