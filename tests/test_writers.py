"""What the extractive writer says: verbatim blocks. Of models: test_generated_answers."""

from assistant.writers.extractive import ONE_SCREEN, ExtractiveWriter
from tests.builders import passage, retrieval

STEPS = "Pausing takes a minute:\n\n1. Open **Profile**.\n2. Choose **Pause**.\n3. Confirm the dates."
PROSE = " ".join(f"Sentence number {n} talks about something else entirely." for n in range(60))


def test_short_passage_is_quoted_whole_and_verbatim():
    source = passage(STEPS, start=40, end=40 + len(STEPS))
    draft = ExtractiveWriter().write(retrieval("How do I pause?", source))
    assert draft is not None
    assert draft.text == STEPS
    citation = draft.citations[0]
    assert (citation.number, citation.quote) == (1, STEPS)
    assert (citation.start, citation.end) == (40, 40 + len(STEPS))


def test_long_prose_is_cut_around_the_sentence_that_names_the_question():
    text = f"{PROSE} The pause costs 9 euros a month. {PROSE}"
    draft = ExtractiveWriter().write(retrieval("What does the pause cost?", passage(text)))
    assert draft is not None
    assert "The pause costs 9 euros a month." in draft.text
    assert len(draft.text) <= ONE_SCREEN
    quote = draft.citations[0]
    assert text[quote.start : quote.end] == quote.quote


def test_a_list_is_taken_whole_even_where_it_is_long():
    steps = "\n".join(
        f"{n}. Step {n} of the pause, with some words to make it longer than usual." for n in range(1, 30)
    )
    draft = ExtractiveWriter().write(retrieval("steps of the pause", passage(f"{PROSE}\n\n{steps}")))
    assert draft is not None
    assert draft.text.startswith("1. Step 1") and "29. Step 29" in draft.text


def test_two_questions_in_one_cite_two_articles():
    first = passage("The pause costs 9 euros a month.", rank=1, article_id=1)
    second = passage(
        "A lost charger costs 45 euros.",
        rank=2,
        article_id=2,
        title="Lost charger",
        url="/en/articles/charger/",
    )
    draft = ExtractiveWriter().write(retrieval("price of a pause and price of a lost charger", first, second))
    assert draft is not None
    assert [citation.passage.article_id for citation in draft.citations] == [1, 2]
    assert [block.citations for block in draft.blocks] == [(1,), (2,)]


def test_a_passage_that_adds_nothing_is_not_cited():
    first = passage("The pause costs 9 euros a month.", rank=1)
    second = passage("A pause is possible.", rank=2, article_id=2)
    draft = ExtractiveWriter().write(retrieval("What does the pause cost?", first, second))
    assert draft is not None
    assert len(draft.citations) == 1


def test_continued_table_shows_its_head_but_does_not_quote_it():
    rows = "| Lasten | 119 € |\n| Komfort | 69 € |"
    source = passage(rows, preface="| Plan | Price |\n|---|---|", start=500, end=500 + len(rows))
    draft = ExtractiveWriter().write(retrieval("price of Lasten", source))
    assert draft is not None
    assert draft.blocks[0].text.startswith("| Plan | Price |")
    assert draft.citations[0].quote == rows


def test_no_passages_no_answer():
    assert ExtractiveWriter().write(retrieval("anything")) is None
