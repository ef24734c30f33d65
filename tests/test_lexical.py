"""The in-memory word index: what it finds, and that building it step by step changes nothing."""

import random
import subprocess
import sys

import numpy as np
import pytest

from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.synonyms import read_synonyms

GERMAN = [
    LexicalRow(11, 1, "Abo kündigen", "Fristen", "Die Kündigung ist bis zum Monatsende möglich."),
    LexicalRow(12, 1, "Abo kündigen", "Form", "Schreiben Sie uns eine E-Mail oder einen Brief."),
    LexicalRow(21, 2, "Rechnung herunterladen", "", "Eine Kopie der Rechnung liegt im Konto bereit."),
    LexicalRow(
        31, 3, "Fehlermeldungen", "E07", "Bei Fehler E07 ist der Akku leer. Eine Reparatur kostet 4,50 €."
    ),
    LexicalRow(41, 4, "Lieferung", "Lieferzeiten", "Kund:innen im Ausland warten bis zu fünf Tage."),
]


def found_by(index: LexicalIndex, question: str) -> list[int]:
    return [passage_id for passage_id, _bm25 in index.search(index.terms(question), 9)]


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    return LexicalIndex.build(GERMAN, language="de")


@pytest.mark.parametrize(
    ("question", "passage_id"),
    [
        ("Wie kann ich kuendigen?", 11),
        ("Rechnungskopie", 21),
        ("Was bedeutet E-07?", 31),
        ("Reparatur 4.50 Euro", 31),
        ("Wie lange wartet eine Kundin?", 41),
        ("Email schreiben", 12),
    ],
)
def test_finds_the_passage(index: LexicalIndex, question: str, passage_id: int) -> None:
    assert index.search(index.terms(question), 5)[0][0] == passage_id


def test_search_is_best_first_positive_and_limited(index: LexicalIndex) -> None:
    found = index.search(index.terms("Rechnung Kündigung Akku Brief"), 3)
    assert len(found) == 3
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)
    assert all(value > 0 for _, value in found)
    assert index.search(index.terms("Rechnung"), 0) == []


@pytest.mark.parametrize("question", ["", "und oder", "Quastenflosser"])
def test_nothing_in_common_finds_nothing(index: LexicalIndex, question: str) -> None:
    assert index.search(index.terms(question), 5) == []


def test_scores_agree_with_search_and_know_every_passage(index: LexicalIndex) -> None:
    question = "Rechnung Kündigung Akku"
    found = dict(index.search(index.terms(question), 10))
    asked = [31, 999, 11, 41]
    assert index.scores(index.terms(question), asked) == [
        None if passage_id == 999 else pytest.approx(found.get(passage_id, 0.0)) for passage_id in asked
    ]


def test_equal_values_are_ordered_by_passage_id() -> None:
    rows = [LexicalRow(number, number, "Titel", "", "gleicher Text") for number in (5, 3, 9)]
    assert found_by(LexicalIndex.build(rows, language="de"), "Text") == [3, 5, 9]


def test_a_title_counts_more_than_the_text() -> None:
    rows = [
        LexicalRow(1, 1, "Versand", "", "Alles zum Konto steht hier."),
        LexicalRow(2, 2, "Konto", "", "Alles zum Versand steht hier."),
    ]
    assert found_by(LexicalIndex.build(rows, language="de"), "Konto")[0] == 2


def test_a_compound_in_the_articles_answers_for_its_parts() -> None:
    rows = [
        LexicalRow(1, 1, "Verträge", "", "Die Vertragslaufzeit beträgt ein Jahr."),
        LexicalRow(2, 2, "Hilfe", "", "Die Laufzeit der Garantie und der Vertrag."),
        LexicalRow(3, 3, "Anderes", "", "Öffnungszeiten und Adressen."),
    ]
    assert set(found_by(LexicalIndex.build(rows, language="de"), "Laufzeit")) == {1, 2}


def test_idf_is_high_for_rare_and_highest_for_unknown_terms(index: LexicalIndex) -> None:
    known, unknown, common = index.terms("Abo Quastenflosser Rechnung")
    assert (known.is_known, unknown.is_known, common.is_known) == (True, False, True)
    assert unknown.idf > common.idf > 0


def test_knows_where_a_word_occurs(index: LexicalIndex) -> None:
    invoice, letter, unknown = index.terms("Rechnung Brief Quastenflosser")
    assert index.holds(invoice, 21) == 1.0
    assert not index.holds(invoice, 31)
    assert not index.holds(letter, 11)
    assert index.holds(letter, 12)
    assert not index.holds(unknown, 12)


def test_incremental_build_equals_fresh_build() -> None:
    old = LexicalIndex.build(GERMAN, language="de")
    changed = [*GERMAN[1:], LexicalRow(51, 5, "Rechnungskopie", "", "Laden Sie die Kopie herunter.")]
    changed[0] = LexicalRow(12, 1, "Abo kündigen", "Form", "Ein Brief genügt.")
    fresh = LexicalIndex.build(changed, language="de")
    incremental = LexicalIndex.build(changed, language="de", previous=old)
    everything = [row.passage_id for row in changed]
    for question in ("Rechnungskopie herunterladen", "Brief an Kunden", "E-Mail", "kündigen"):
        assert incremental.scores(incremental.terms(question), everything) == fresh.scores(
            fresh.terms(question), everything
        )
        assert incremental.terms(question) == fresh.terms(question)
    assert found_by(incremental, "E-Mail") == [], "the old text of a changed passage must be gone"


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = list(GERMAN)
    random.Random(4).shuffle(shuffled)
    question = "Kündigung der Rechnung per E-Mail"
    one, other = (LexicalIndex.build(rows, language="de") for rows in (GERMAN, shuffled))
    assert one.search(one.terms(question), 9) == other.search(other.terms(question), 9)
    assert np.array_equal(one.passage_ids, other.passage_ids)


def test_an_empty_index_finds_nothing() -> None:
    empty = LexicalIndex.build([], language="en")
    assert len(empty) == 0
    assert found_by(empty, "anything") == []
    assert empty.scores(empty.terms("anything"), [1]) == [None]
    assert [term.is_known for term in empty.terms("refund")] == [False]


def test_rows_without_words_are_held_but_never_found() -> None:
    index = LexicalIndex.build(
        [LexicalRow(1, 1, "", "", "---"), LexicalRow(2, 1, "", "", "der die das")], language="de"
    )
    assert index.search(index.terms("der"), 5) == []
    assert index.scores(index.terms("Abo"), [1, 2]) == [0.0, 0.0]


def test_a_slip_of_the_pen_is_forgiven(index: LexicalIndex) -> None:
    assert found_by(index, "Rechung")[0] == 21
    assert found_by(index, "kündigne")[0] == 11
    assert found_by(index, "Fehlermedlungn")[0] == 31, "two slips in a long word"


def test_a_word_that_the_dictionary_knows_is_no_slip_of_the_pen(index: LexicalIndex) -> None:
    rows = [LexicalRow(1, 1, "Kunden", "", "Kunden warten auf die Lieferung.")]
    small = LexicalIndex.build(rows, language="de")
    assert found_by(small, "Kundne") == [1]
    assert found_by(small, "Stunden") == []


def test_a_slip_counts_less_than_the_word_itself(index: LexicalIndex) -> None:
    (right,), (wrong,) = index.terms("Rechnung"), index.terms("Rechung")
    assert wrong.is_known
    [slipped], [spelt] = index.scores([wrong], [21]), index.scores([right], [21])
    assert slipped is not None and spelt is not None and slipped < spelt
    assert 0 < index.holds(wrong, 21) < 1


def test_synonyms_find_what_the_question_does_not_name(index: LexicalIndex) -> None:
    synonyms = read_synonyms((("de", "Faktura, Rechnung"), ("de", "leerer Akku, Fehler E07")))
    assert found_by(index, "Faktura") == []
    terms = index.terms("Wo ist die Faktura?", synonyms=synonyms)
    assert index.search(terms, 1)[0][0] == 21
    assert terms[-1].is_known
    terms = index.terms("leerem Akku", synonyms=synonyms)
    assert index.search(terms, 1)[0][0] == 31
    assert [term.term for term in terms if term.is_asked] == [
        term.term for term in index.terms("leerer Akku")
    ]


def test_synonyms_of_one_language_leave_the_other_alone(index: LexicalIndex) -> None:
    synonyms = read_synonyms((("en", "Faktura, Rechnung"),))
    assert index.search(index.terms("Faktura", synonyms=synonyms), 5) == []
    for_both = read_synonyms((("", "receipt, Rechnung"),))
    assert index.search(index.terms("Where is my receipt?", language="en", synonyms=for_both), 1)[0][0] == 21


def test_neighbours_in_the_question_that_stand_together_are_near() -> None:
    rows = [
        LexicalRow(1, 1, "", "", "The law library opens at nine."),
        LexicalRow(2, 2, "", "", "The library opens at nine. Every law says so."),
        LexicalRow(3, 3, "", "", "Nothing of that."),
    ]
    index = LexicalIndex.build(rows, language="en")
    terms = index.terms("law library")
    together, apart, neither = index.nearness(terms, [1, 2, 3])
    assert together == pytest.approx(min(term.idf for term in terms))
    assert apart == neither == 0.0
    assert index.nearness(terms, [99]) == [0.0]
    assert index.nearness([], [1]) == [0.0]


def test_words_are_found_across_languages(index: LexicalIndex) -> None:
    assert index.search(index.terms("How do I cancel by letter?", language="en"), 1)[0][0] in (11, 12)
    assert index.search(index.terms("Where is my bill?", language="en"), 1)[0][0] == 21


def test_a_question_in_another_language_still_meets_names_and_codes(index: LexicalIndex) -> None:
    assert index.search(index.terms("What does error E07 mean?"), 1)[0][0] == 31


def test_importing_the_module_does_not_load_bm25s() -> None:
    code = "import sys, knowledge.lexical; sys.exit('bm25s' in sys.modules or 'Stemmer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
