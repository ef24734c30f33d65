"""How far an earlier conversation is part of a question.

"And for two?" names nothing to search for; a new topic must not be dragged back to the old one. So a question with a
history is looked for twice, alone and together with what the same person asked before, and both orders are mixed. How
much the second one counts is read off three things: whether the articles fit better with the history, whether the
article found with it fits the question alone, and whether that article is what the last answer was about.

Pure. Method and figures: docs/quality-research.md; coefficients by logistic regression on the follow-ups of doc2dial
and mtrag, both counting the same, in which one of the two orders is right and the other is not.
"""

import math
from collections.abc import Sequence
from typing import Final

USER, ASSISTANT = "user:", "assistant:"

_MOST_CHARACTERS: Final = 600  # of earlier questions; more would push the question out of the model's window
_INTERCEPT: Final = -3.785
_BETTER_TOGETHER: Final = 5.367
_FITS_ALONE: Final = 0.456
_IN_LAST_ANSWER: Final = 5.273
_STEEPNESS: Final = 2.0  # of the mix; an infinite one would choose
UNKNOWN_ANSWER: Final = 0.5  # where nobody says what was answered before


def together(question: str, history: Sequence[str]) -> str:
    """What this person asked before and asks now, oldest first; empty where nothing came before."""
    earlier: list[str] = []
    room = _MOST_CHARACTERS
    for turn in reversed(history):
        if turn.startswith(USER) and (text := turn.removeprefix(USER).strip()):
            room -= len(text)
            if room < 0 and earlier:
                break
            earlier.insert(0, text[-_MOST_CHARACTERS:])
    return " ".join([*earlier, question]) if earlier else ""


def last_answer(history: Sequence[str]) -> str:
    """Empty where the last turn was nobody's answer."""
    turn = history[-1] if history else ""
    return turn.removeprefix(ASSISTANT).strip() if turn.startswith(ASSISTANT) else ""


def share_of_history(
    *, alone: float, with_history: float, alone_there: float, in_last_answer: float
) -> float:
    """0..1, how much the order found with the history counts.

    `alone` and `with_history` are the ranking values of the best passage of either order, `alone_there` is the value
    that the question alone gives the article which is first with the history, and `in_last_answer` (0..1) how well
    that article fits the last answer, in relation to the article that fits it best.
    """
    total = (
        _INTERCEPT
        + _BETTER_TOGETHER * (with_history - alone)
        + _FITS_ALONE * (alone_there - alone)
        + _IN_LAST_ANSWER * in_last_answer
    )
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, _STEEPNESS * total))))
