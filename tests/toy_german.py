"""A German of a few words, and a pairs file that teaches it."""

import gzip
from pathlib import Path

NOUNS = {
    "Akku": "battery",
    "Rechnung": "invoice",
    "Kündigung": "cancellation",
    "Fahrrad": "bicycle",
    "Straße": "street",
}
VERBS = {"zeigt": "shows", "braucht": "needs", "kostet": "costs", "verliert": "loses"}


def write_toy_pairs(file: Path) -> Path:
    """100 sentences, 9 dictionary entries and a sentence that is there to measure and never trains."""
    lines = [
        f"manual\tThe {NOUNS[one]} {VERBS[verb]} the {NOUNS[other]}.\t{one} {verb} {other}."
        for one in NOUNS
        for verb in VERBS
        for other in NOUNS
    ]
    lines += [f"wiktionary\t{english}\t{german}" for german, english in (NOUNS | VERBS).items()]
    lines.append("ntrex\tNever trained on.\tNie trainiert.")
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    return file
