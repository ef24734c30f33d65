"""The smallest parts of a passage, and what is stored of them."""

import numpy as np
import pytest

from knowledge.chunking import embedded_text
from knowledge.units import places_in, rows_to_int8, split_units, unit_cosines

TEXT = (
    "First sentence. Second **one**.\n\n1. Open it.\n2. Close it.\n\n"
    "| a | b |\n|---|---|\n| x | 5 € |\n\n```\ncode\n```\n"
)


def test_sentences_items_rows_and_code_are_units():
    units = split_units(TEXT)
    assert [TEXT[one.start : one.end] for one in units] == [
        "First sentence.",
        "Second **one**.",
        "1. Open it.",
        "2. Close it.",
        "| a | b |",
        "| x | 5 € |",
        "```\ncode\n```",
    ]
    assert [one.is_prose for one in units] == [True, True, False, False, False, False, False]
    assert len({one.block for one in units}) == 4


def test_every_unit_is_found_in_what_the_model_reads():
    units = split_units(TEXT)
    embedded = embedded_text("Title", ("Heading",), TEXT)
    places = places_in(embedded, TEXT, units, after=len(embedded_text("Title", ("Heading",), "")))
    found = [embedded[place[0] : place[1]] if place else None for place in places]
    assert found[:4] == ["First sentence.", "Second one.", "Open it.", "Close it."]
    assert None not in found


@pytest.mark.parametrize("text", ["", "## Heading", "\n\n"])
def test_text_without_sentences_has_no_units(text):
    assert split_units(text) == []


def test_directions_survive_in_a_quarter_of_the_space():
    rows = np.random.default_rng(5).normal(size=(6, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    stored = rows_to_int8(rows)
    assert len(stored) == 6 * 384
    assert unit_cosines(rows[2], stored) == pytest.approx(rows @ rows[2], abs=0.02)
    assert unit_cosines(rows[2], b"").shape == (0,)
