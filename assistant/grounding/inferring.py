"""What a cross-encoder says of sentences and their quotes, where one is configured: read all at once, within a time.

Refuses to decide what a probability means (`check`), and how a model is loaded (`knowledge.entailment`).
"""

from collections.abc import Sequence
from dataclasses import replace

from assistant.grounding.check import Claim, Evidence
from knowledge.entailment import Pair, Reading, infer
from knowledge.sentences import split_sentences


def read_with(claims: Sequence[tuple[Claim, Evidence]], *, seconds: float | None) -> Reading:
    """One inference a claim; None where the model was not heard, and where the claim is a sentence of its source: what
    stands there word for word needs no model."""
    asked = [at for at, one in enumerate(claims) if not _stands_there(*one)]
    reading = infer([_pair(*claims[at]) for at in asked], seconds=seconds)
    found = dict(zip(asked, reading.inferences, strict=True))
    return replace(reading, inferences=tuple(found.get(at) for at in range(len(claims))))


def premise_of(evidence: Evidence) -> str:
    """Title and headings may name what "it" is; then the quote with the rest of its sentences."""
    frame = [line.strip(" .") for line in evidence.frame.split("\n") if line.strip()]
    return ". ".join([*frame, evidence.surroundings])


def _pair(claim: Claim, evidence: Evidence) -> Pair:
    return Pair(premise_of(evidence), claim.text, frozenset([claim.language, evidence.language]))


def _stands_there(claim: Claim, evidence: Evidence) -> bool:
    text = evidence.surroundings
    sentences = [text, *(text[start:end] for start, end in split_sentences(text))]
    return _plain(claim.text) in {_plain(one) for one in sentences}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
