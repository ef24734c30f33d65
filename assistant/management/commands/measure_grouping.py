"""How well questions are grouped by meaning: on labelled sets, where the same gold article means the same group."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assistant.gaps.grouping import features_of, groups_of
from knowledge.embeddings import EmbedderUnavailable, get_embedder
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CUTS = tuple(round(cut, 2) for cut in np.arange(0.35, 0.86, 0.05))
_AT_ONCE = 64

_HELP = """\
Groups the questions of labelled files (JSON lines with question, language and article_ids) by average linkage at
several cuts, with what all have in common taken out ("average") and plainly by cosine, and by HDBSCAN, and compares
each pair of questions with its labels: two questions with a gold article in common belong together. Precision is the
share of the pairs in one group that do, recall the share of those that do that are in one group. Only questions with
gold take part. Writes nothing and needs no database.
"""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--language", choices=["de", "en"], help="Only questions in this language.")
        parser.add_argument("--most", type=int, default=1500, help="Questions of a file at most.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(
            f"{'set':28} {'n':>5}  {'rule':14} {'precision':>9} {'recall':>6} {'F1':>5} {'groups':>6}"
        )
        for file in options["files"]:
            try:
                read, _left_out = read_questions(file)
            except BadQuestionFile as error:
                raise CommandError(str(error)) from error
            for language in ("de", "en"):
                chosen = [one for one in read if one.gold and one.language == language][: options["most"]]
                if len(chosen) > 1 and options["language"] in (None, language):
                    self._measure(f"{file.parent.name}/{file.stem}"[:25] + f" {language}", chosen, language)

    def _measure(self, name: str, questions: Sequence[LabelledQuestion], language: str) -> None:
        try:
            embedder = get_embedder()
            parts = [
                embedder.encode_questions(
                    [one.text for one in questions[at : at + _AT_ONCE]], language=language
                )
                for at in range(0, len(questions), _AT_ONCE)
            ]
        except EmbedderUnavailable as error:
            raise CommandError(str(error)) from error
        vectors = np.concatenate(parts).astype(np.float32)
        features = features_of(vectors)
        together = _same_gold(questions)
        for cut in _CUTS:
            self._say(name, f"average {cut:.2f}", groups_of(features, cut=cut), together)
            self._say(name, f"cosine {cut:.2f}", groups_of(vectors, cut=cut), together)
        for size in (2, 3):
            self._say(name, f"hdbscan {size}", _by_density(features, size), together)

    def _say(
        self, name: str, rule: str, groups: Sequence[Sequence[int]], together: "NDArray[np.bool_]"
    ) -> None:
        grouped = _one_group(groups, len(together))
        right, found, wanted = (
            int(np.triu(pairs, 1).sum()) for pairs in (grouped & together, grouped, together)
        )
        precision = right / found if found else 1.0
        recall = right / wanted if wanted else 1.0
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        several = sum(len(group) > 1 for group in groups)
        self.stdout.write(
            f"{name:28} {len(together):5}  {rule:14} {precision:9.3f} {recall:6.3f} {f1:5.3f} {several:6}"
        )


def _same_gold(questions: Sequence[LabelledQuestion]) -> "NDArray[np.bool_]":
    keys = sorted({key for one in questions for key in one.gold})
    place = {key: at for at, key in enumerate(keys)}
    holds = np.zeros((len(questions), len(keys)), dtype=np.float32)
    for row, one in enumerate(questions):
        holds[row, [place[key] for key in one.gold]] = 1
    same: NDArray[np.bool_] = (holds @ holds.T) > 0
    return same


def _one_group(groups: Iterable[Sequence[int]], count: int) -> "NDArray[np.bool_]":
    number = np.zeros(count, dtype=np.int64)
    for at, group in enumerate(groups):
        number[list(group)] = at
    same: NDArray[np.bool_] = number[:, None] == number[None, :]
    return same


def _by_density(vectors: "NDArray[np.float32]", smallest: int) -> list[list[int]]:
    from sklearn.cluster import HDBSCAN

    numbers = HDBSCAN(min_cluster_size=smallest, min_samples=1, copy=True).fit_predict(vectors)
    groups: dict[int, list[int]] = {}
    alone = -1
    for row, number in enumerate(numbers):
        if number < 0:  # noise: by itself
            groups[alone] = [row]
            alone -= 1
        else:
            groups.setdefault(int(number), []).append(row)
    return list(groups.values())
