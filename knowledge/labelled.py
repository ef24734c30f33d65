"""Reads labelled questions: which articles answer what."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.models import Language


class BadQuestionFile(Exception):
    """Names file, line and reason."""


@dataclass(frozen=True)
class LabelledQuestion:
    id: str
    text: str
    language: str
    gold: frozenset[str]  # external ids of the articles that answer it; empty: none does
    history: tuple[str, ...] = ()


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
    )
