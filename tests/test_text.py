"""Words that mean the same must meet as one term; words that do not must stay apart."""

import pytest

from knowledge.text import normalise, split_compound, stem, terms, words


@pytest.mark.parametrize(
    "form",
    [
        "Kund:innen",
        "Kund*innen",
        "Kund_innen",
        "Kund·innen",
        "KundInnen",
        "Kund/innen",
        "Kunden/-innen",
        "Kunde/-in",
        "Kundinnen",
        "Kundin",
        "Kunden",
        "KUNDE",
    ],
)
def test_every_gender_form_meets_the_plain_noun(form: str) -> None:
    assert terms(form, "de") == terms("Kunde", "de")


@pytest.mark.parametrize(
    ("form", "plain"),
    [
        ("Nutzer:innen", "Nutzer"),
        ("Nutzerinnen", "Nutzer"),
        ("Mitarbeiterin", "Mitarbeiter"),
        ("Ärzt:innen", "Arzt"),
        ("Kolleg*innen", "Kollegen"),
        ("Studentin", "Student"),
    ],
)
def test_gender_forms_of_other_nouns(form: str, plain: str) -> None:
    assert terms(form, "de") == terms(plain, "de")


@pytest.mark.parametrize("noun", ["Termin", "Benzin", "Medizin", "Magazin", "Berlin"])
def test_nouns_that_only_look_feminine_keep_their_ending(noun: str) -> None:
    assert stem(noun.lower(), "de") == noun.lower()


def test_a_slash_between_two_words_is_no_gender_form() -> None:
    assert words("Rechnung/Innenraum und/oder", "de") == ["rechnung", "innenraum", "und", "oder"]


@pytest.mark.parametrize(
    "spelling", ["Kündigung", "Kuendigung", "Kundigung", "KÜNDIGUNGEN", "Ku\u0308ndigung"]
)
def test_umlauts_meet_however_they_are_typed(spelling: str) -> None:
    assert terms(spelling, "de") == terms("Kündigung", "de")


@pytest.mark.parametrize("spelling", ["Straße", "Strasse", "STRASSE", "Straßen"])
def test_sharp_s_meets_double_s(spelling: str) -> None:
    assert terms(spelling, "de") == ["strass"]


def test_ue_after_a_vowel_is_no_umlaut() -> None:
    assert stem("neue", "de") == "neu"
    assert stem("steuer", "de") != stem("stur", "de")


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff"])
def test_invisible_characters_do_not_split_words(invisible: str) -> None:
    assert terms(f"Passwort{invisible}richtlinie", "de") == terms("Passwortrichtlinie", "de")
    assert normalise(f"a{invisible}B") == "ab"


@pytest.mark.parametrize(
    "group",
    [
        ["buchen", "gebucht", "Buchung", "Buchungen"],
        ["anmelden", "angemeldet", "anzumelden", "Anmeldung"],
        ["infizieren", "infiziert", "infizierte"],
        ["testen", "getestet", "Test"],
    ],
)
def test_verb_participle_and_noun_share_a_root(group: list[str]) -> None:
    assert len({tuple(terms(word, "de")) for word in group}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Luft", "Luf"),
        ("Internet", "intern"),
        ("kosten", "kochen"),
        ("Geschäft", "Schaf"),
        ("Gehalt", "halten"),
    ],
)
def test_roots_of_different_words_stay_apart(one: str, other: str) -> None:
    assert terms(one, "de") != terms(other, "de")


@pytest.mark.parametrize(("form", "language"), [("E-Mail", "de"), ("E‑Mail", "de"), ("e-mail", "en")])
def test_hyphenated_word_meets_joined_word_and_part(form: str, language: str) -> None:
    assert set(terms("email", language)) <= set(terms(form, language))
    assert set(terms("Mail", language)) <= set(terms(form, language))


def test_long_hyphenated_compound_yields_parts_and_joined_forms() -> None:
    assert set(words("E-Bike-Akku", "de")) == {"bike", "akku", "ebike", "bikeakku", "ebikeakku"}


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Fehler E07", "de", ["fehl", "e07"]),
        ("Fehler E-07", "de", ["fehl", "07", "e07"]),
        ("4,50 €", "de", ["4.50", "euro"]),
        ("4.50 EUR", "de", ["4.50", "euro"]),
        ("1.000,50 Euro", "de", ["1000.50", "euro"]),
        ("$1,000.50", "en", ["dollar", "1000.50"]),
        ("10:30", "en", ["10:30"]),
        ("Version 3.2.1.", "en", ["version", "3.2.1"]),
        ("50%", "en", ["50", "percent"]),
    ],
)
def test_numbers_units_and_codes_are_terms(text: str, language: str, expected: list[str]) -> None:
    assert terms(text, language) == expected


def test_question_frames_are_no_terms() -> None:
    assert terms("Wie kann ich mein Passwort ändern?", "de") == terms("Passwort ändern", "de")
    assert terms("How do I change my password? I don't know", "en") == ["chang", "password", "know"]


def test_english_possessive_and_plural_meet() -> None:
    assert terms("the customer’s accounts", "en") == terms("customer account", "en")


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("rechnungskopie", ["rechnung", "kopie"]),
        ("abonnementkündigung", ["abonnement", "kündigung"]),
        ("lieferzeit", ["lieferung", "zeit"]),
        ("kundenkontonummer", ["kunde", "konto", "nummer"]),
    ],
)
def test_compounds_of_known_words_are_split(word: str, parts: list[str]) -> None:
    known = {
        stem(part, "de"): 3 for part in ["rechnung", "kopie", "abonnement", "kündigung", "lieferung", "zeit"]
    }
    known |= {stem(part, "de"): 3 for part in ["kunde", "konto", "nummer"]}
    assert split_compound(word, known, "de") == tuple(stem(part, "de") for part in parts)


def test_a_compound_with_an_unknown_part_stays_whole() -> None:
    assert split_compound("rechnungskopie", {"rechnung": 5}, "de") == ()


def test_english_words_are_not_split() -> None:
    assert split_compound("notebook", {"note": 1, "book": 1}, "en") == ()


def test_a_language_without_stemmer_is_only_folded() -> None:
    assert terms("Les Réclamations", "fr") == ["les", "réclamations"]


@pytest.mark.parametrize("text", ["", "   ", "???", "\u00ad"])
def test_nothing_to_say(text: str) -> None:
    assert terms(text, "de") == []
