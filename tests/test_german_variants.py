"""What the training makes of a German text still is that text."""

import random
from difflib import SequenceMatcher

import pytest

from knowledge.german.variants import GenderForms, Splits, with_typing_error, without_umlauts

TEXT = "Wie kann ich als Nutzer meinen Vertrag kündigen?"


@pytest.mark.parametrize("seed", range(20))
def test_a_typing_error_touches_one_place(seed):
    typed = with_typing_error(TEXT, random.Random(seed))
    changes = [
        step
        for step in SequenceMatcher(None, TEXT, typed, autojunk=False).get_opcodes()
        if step[0] != "equal"
    ]
    assert abs(len(typed) - len(TEXT)) <= 1
    assert len(changes) <= 2, "a swap is a letter taken away and put back"
    assert typed.split()[0] == "Wie", "short words are left alone"


def test_typing_errors_differ_and_are_not_made_where_there_is_no_room():
    assert len({with_typing_error(TEXT, random.Random(seed)) for seed in range(20)}) > 10
    assert with_typing_error("Es ist so. 12345678", random.Random(0)) == "Es ist so. 12345678"


def test_umlauts_go_and_nothing_else():
    assert without_umlauts("Größe, Übung und Straße") == "Große, Ubung und Straße"


def test_only_nouns_with_a_feminine_form_get_one():
    forms = GenderForms(
        [TEXT, "Die Nutzerin ruft an.", "Alle Lehrerinnen kommen.", "Ein Lehrer und sein Computer."]
    )
    varied = forms.vary("Ein Nutzer und ein Lehrer am Computer", random.Random(3))
    words = varied.split()
    assert words[1] in ("Nutzerin", "Nutzerinnen")
    assert words[4] in ("Lehrerin", "Lehrerinnen")
    assert words[-1] == "Computer"


def test_a_piece_is_cut_into_pieces_that_spell_it():
    pieces = {"[CLS]": 0, "fahrrad": 1, "fahr": 2, "##rad": 3, "##radweg": 4, "##weg": 5, "rad": 6, "7": 7}
    splits = Splits(pieces)
    assert splits.apply([0, 1, 4, 6, 7], 1.0, random.Random(0)) == [0, 2, 3, 3, 5, 6, 7]
    assert splits.apply([0, 1, 4, 6, 7], 0.0, random.Random(0)) == [0, 1, 4, 6, 7]
