"""The German-English word table: what is learned from pairs, what is kept, what is shipped."""

import pytest
from django.core.management import CommandError, call_command

from knowledge import dictionary
from knowledge.dictionary import DICTIONARY_FILE, is_listed, translations, write_dictionary
from knowledge.german.dictionary import learn
from knowledge.german.pairs import Pair
from knowledge.text import stem

PAIRS = [
    Pair("tatoeba", "The invoice is late.", "Die Rechnung kommt spät."),
    Pair("tatoeba", "Please pay the invoice.", "Bitte bezahlen Sie die Rechnung."),
    Pair("tatoeba", "The bicycle is late.", "Das Fahrrad kommt spät."),
    Pair("tatoeba", "I repair the bicycle.", "Ich repariere das Fahrrad."),
    Pair("wiktionary", "saddle (part of a bicycle)", "Sattel"),
]


def terms_of(found):
    return {term for term, _probability in found}


def test_words_that_stand_for_one_another_are_learned_both_ways():
    tables = learn(PAIRS)
    invoice, bill = stem("invoice", "en"), stem("rechnung", "de")
    assert tables["en"][invoice][0][0] == bill
    assert tables["de"][bill][0][0] == invoice
    assert all(0 < share <= 1 for found in tables["de"].values() for _term, share in found)


def test_what_a_dictionary_explains_in_brackets_is_no_translation():
    saddle = learn(PAIRS)["de"][stem("sattel", "de")]
    assert terms_of(saddle) == {stem("saddle", "en")}


def test_a_word_seen_once_in_a_sentence_is_not_kept():
    assert stem("repariere", "de") not in learn(PAIRS)["de"]


@pytest.fixture
def own_table(tmp_path, monkeypatch):
    def use(tables):
        path = tmp_path / "table.tsv.gz"
        write_dictionary(path, tables)
        monkeypatch.setattr(dictionary, "DICTIONARY_FILE", path)
        dictionary._tables.cache_clear()
        return path

    yield use
    dictionary._tables.cache_clear()


def test_a_table_is_read_as_it_was_written(own_table):
    own_table({"de": {"rechn": (("bill", 0.4), ("invoic", 0.25))}, "en": {"bill": (("rechn", 0.5),)}})
    assert translations("rechn", "rechnung", "de", "en") == (("bill", 0.4), ("invoic", 0.25))
    assert translations("bill", "bill", "en", "de") == (("rechn", 0.5),)
    assert translations("bill", "bill", "en", "fr") == ()
    assert is_listed("rechn", "de")
    assert not is_listed("rechn", "en")


def test_a_compound_that_is_not_listed_is_translated_by_its_parts(own_table):
    own_table({"de": {stem("haft", "de"): (("liabil", 0.6),), stem("versicherung", "de"): (("insur", 0.8),)}})
    found = dict(translations("x", "haftversicherung", "de", "en"))
    assert found == {"liabil": 0.3, "insur": 0.4}


def test_the_same_pairs_give_the_same_bytes(tmp_path):
    pairs, files = tmp_path / "pairs.tsv", [tmp_path / "one.tsv.gz", tmp_path / "two.tsv.gz"]
    pairs.write_text("\n".join(f"{one.source}\t{one.english}\t{one.german}" for one in PAIRS))
    for file in files:
        call_command("build_dictionary", str(pairs), "--without", out=file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_bad_pairs_file_is_refused_by_name(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("only one field\n")
    with pytest.raises(CommandError, match=r"pairs\.tsv, line 1"):
        call_command("build_dictionary", str(file), out=tmp_path / "out.tsv.gz")


@pytest.mark.parametrize(
    ("german", "english"),
    [("Universität", "university"), ("bezahlen", "pay"), ("Fahrrad", "bicycle"), ("Konto", "account")],
)
def test_the_shipped_table_knows_everyday_words(german, english):
    assert DICTIONARY_FILE.exists()
    term, other = stem(german.lower(), "de"), stem(english, "en")
    assert other in terms_of(translations(term, german.lower(), "de", "en"))
