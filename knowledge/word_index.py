"""The word indexes that this process holds, one for each set of articles that a reader may see.

Promise: nobody who waits for an answer waits long for one. It is made anew in the background when passages have
changed; a small one is there before anybody notices, and of a large one (20 000 passages: seconds) the last state
answers meanwhile, or, where there is none yet, nothing: the vectors then find alone. What it proposes is as old as
its rows, so the gate comes after.

Refuses to decide: how words are matched (`knowledge.lexical`), and who may read what is found.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import connection

from knowledge.background import Background
from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.models import Passage, PassageQuerySet
from knowledge.plaintext import join_preface

log = logging.getLogger(__name__)

# A question is given ten seconds in all and asks several times; both count from when the making began.
_PATIENCE_SECONDS = 0.5  # where there is an earlier state; 2 000 passages are read again in a fifth of it
_FIRST_PATIENCE_SECONDS = 3.0  # where there is none


@dataclass(frozen=True)
class Key:
    audiences: tuple[str, ...]
    language: str  # of the articles
    recipe: str  # of the generation


@dataclass(frozen=True)
class _Held:
    version: int  # of the generation's passages, read before they were
    index: LexicalIndex


_held: dict[Key, _Held] = {}
_under_way: dict[Key, Background[_Held]] = {}
_guard = threading.Lock()
_era = 0  # what was begun in an earlier one is not kept


def word_index(key: Key, version: int) -> LexicalIndex:
    """As of `version` or later; an earlier state, or an empty one, where that takes too long."""
    while True:
        known, making = _look(key, version)
        if known is not None and known.version == version:
            return known.index
        if making is None:
            return _made_here(key, version, known).index
        patience = _FIRST_PATIENCE_SECONDS if known is None else _PATIENCE_SECONDS
        if connection.settings_dict["OPTIONS"].get("pool"):
            # Whoever makes it needs a connection, and all may be in the hands of those who wait here.
            connection.close()  # back into the pool
        try:
            made = making.within(patience)
        except TimeoutError:
            if known is not None:
                return known.index
            log.info("The word index is still being made; the vectors find alone")
            return LexicalIndex.build((), language=key.language)
        if made.version >= version:
            return made.index
        # It was begun before our version; the next one is begun now.


def begin(key: Key, version: int) -> None:
    """Has it made in the background, for a question that is still to come."""
    _look(key, version)


def lexical_rows(passages: PassageQuerySet) -> Iterator[tuple[str, LexicalRow]]:
    """Each passage as a word index takes it in, in the order of their ids, with the audience of its article."""
    found = passages.order_by("pk").values_list(
        "pk", "article_id", "article__title", "heading_path", "preface", "text", "article__audience"
    )
    for pk, article_id, title, headings, preface, text, audience in found.iterator(chunk_size=2000):
        yield audience, lexical_row(pk, article_id, title, headings, preface, text)


def lexical_row(
    passage_id: int, article_id: int, title: str, headings: Sequence[str], preface: str, text: str
) -> LexicalRow:
    return LexicalRow(passage_id, article_id, title, " ".join(headings), join_preface(preface, text))


def held(key: Key) -> LexicalIndex | None:
    """Whatever state this process holds: an index made with it as `previous` reads only what is new."""
    known = _held.get(key)
    return known.index if known is not None else None


def forget() -> None:
    """For tests, whose databases come and go under the same version numbers. What is being made is forgotten, too."""
    global _era
    with _guard:
        _era += 1
        _held.clear()
        _under_way.clear()


def _look(key: Key, version: int) -> tuple[_Held | None, Background[_Held] | None]:
    """What there is, and who makes what there should be; nobody where that is to be done by this thread."""
    with _guard:
        known = _held.get(key)
        # Inside a transaction only its own connection sees what it wrote.
        if (known is not None and known.version == version) or connection.in_atomic_block:
            return known, None
        making = _under_way.get(key)
        if making is None or making.is_done:
            # A question that has waited for one of them is not made to wait as long for the next.
            began_at = min((one.began_at for one in _under_way.values() if not one.is_done), default=None)
            work = partial(_made_apart, key, version, known)
            making = _under_way[key] = Background("word-index", work, began_at=began_at)
        return known, making


def _made_apart(key: Key, version: int, known: _Held | None) -> _Held:
    try:
        return _made_here(key, version, known)
    finally:
        connection.close()  # of this thread


def _made_here(key: Key, version: int, known: _Held | None) -> _Held:
    era = _era
    current = Passage.objects.current().filter(
        recipe=key.recipe, article__language=key.language, article__audience__in=key.audiences
    )
    index = LexicalIndex.build(
        (row for _audience, row in lexical_rows(current)),
        language=key.language,
        previous=known.index if known is not None else None,
    )
    made = _Held(version, index)
    with _guard:
        if era == _era:
            for other in [one for one in _held if one.recipe != key.recipe]:
                del _held[other]  # of a generation that answers no more
            _held[key] = made
    return made
