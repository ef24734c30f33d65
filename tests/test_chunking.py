"""Chunks are verbatim, complete, within the model's limit, and cut where a reader would cut."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import Chunk, embedded_text, split_article
from knowledge.sentences import split_sentences

WORD = re.compile(r"\w+")


def count_words(text: str) -> int:
    """A tokenizer like the real ones: two special tokens, long words in parts."""
    return 2 + sum(1 + len(word) // 6 for word in re.findall(r"\w+|[^\w\s]", text))


def split(body: str, title: str = "Title", max_tokens: int = 80, target: int = 60) -> list[Chunk]:
    chunks = split_article(title, body, count_tokens=count_words, max_tokens=max_tokens, target_tokens=target)
    last_end = 0
    for position, chunk in enumerate(chunks):
        assert chunk.position == position
        assert body[chunk.start : chunk.end] == chunk.text
        assert chunk.start >= last_end
        last_end = chunk.end
        embedded = embedded_text(title, chunk.heading_path, chunk.text, chunk.preface)
        assert count_words(embedded) <= max_tokens
        assert embedded_text("", (), chunk.text), "a chunk without a readable word"
    return chunks


words = st.text("abcdefgäöüß", min_size=1, max_size=9)
sentences = st.lists(words, min_size=1, max_size=14).map(lambda ws: " ".join(ws).capitalize() + ".")
paragraphs = st.lists(sentences, min_size=1, max_size=5).map(" ".join)
lines = st.lists(words, min_size=1, max_size=12).map(" ".join)
bullets = st.lists(paragraphs, min_size=1, max_size=6).map(
    lambda items: "\n".join(f"- {item}" for item in items)
)
steps = st.lists(sentences, min_size=1, max_size=9).map(
    lambda items: "\n\n".join(f"{n}. {item}\n   - {item}" for n, item in enumerate(items, 1))
)
quotes = st.lists(sentences, min_size=1, max_size=4).map(
    lambda items: "\n".join(f"> {item}" for item in items)
)
codes = st.lists(lines, min_size=1, max_size=9).map(lambda rows: "```\n" + "\n\n".join(rows) + "\n```")
tables = st.lists(st.tuples(words, words), min_size=2, max_size=12).map(
    lambda rows: "\n".join(
        [f"| {rows[0][0]} | {rows[0][1]} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows[1:])]
    )
)
htmls = st.lists(sentences, min_size=1, max_size=4).map(
    lambda items: "<div>\n" + "\n".join(f"  <p>{item}</p>" for item in items) + "\n</div>"
)
headings = st.tuples(st.integers(1, 6), lines).map(lambda found: "#" * found[0] + " " + found[1])
blocks = st.one_of(paragraphs, bullets, steps, quotes, codes, tables, htmls, headings)
articles = st.builds(
    lambda parts, newline: "\n\n".join(parts).replace("\n", newline),
    st.lists(blocks, max_size=9),
    st.sampled_from(["\n", "\r\n"]),
)


@settings(max_examples=120, deadline=None)
@given(articles, st.integers(40, 150))
def test_no_word_is_lost_and_no_chunk_is_too_long(body: str, max_tokens: int) -> None:
    chunks = split(body, max_tokens=max_tokens)
    kept: set[str] = set()
    for chunk in chunks:
        kept.update(WORD.findall(embedded_text("", chunk.heading_path, chunk.text)))
        for heading in chunk.heading_path:
            kept.update(WORD.findall(heading))
    markup = {"div", "p"}
    written = {word for word in WORD.findall(body) if not word.isdigit()} - markup
    assert written - kept - markup <= set()


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab .|-#>*_`~<>/![]()\n\r\t1\u00a0\u2028ä\\&;:=", max_size=250), st.integers(40, 90))
def test_any_text_keeps_offsets_and_limit(body: str, max_tokens: int) -> None:
    split(body, max_tokens=max_tokens)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(words, min_size=1, max_size=20).map(" ".join), min_size=1, max_size=30))
def test_a_list_item_that_fits_is_never_cut(items: list[str]) -> None:
    body = "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1))
    lines_of_chunks = [line for chunk in split(body) for line in chunk.text.splitlines()]
    assert lines_of_chunks == body.splitlines()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=2, max_size=40))
def test_a_table_row_is_never_cut_and_goes_on_under_its_header(rows: list[tuple[str, str]]) -> None:
    head = "Model | Price\n--- | ---"
    body = head + "\n" + "\n".join(f"{a} | {b}" for a, b in rows)
    chunks = split(body)
    assert [line for chunk in chunks for line in chunk.text.splitlines()] == body.splitlines()
    for chunk in chunks[1:]:
        assert chunk.preface == head
        assert "Model, Price" in embedded_text("T", (), chunk.text, chunk.preface)
        assert "|" not in embedded_text("T", (), chunk.text, chunk.preface)


@settings(max_examples=60, deadline=None)
@given(st.lists(codes, min_size=2, max_size=4))
def test_a_code_block_that_fits_is_never_cut(found: list[str]) -> None:
    body = "\n\nText.\n\n".join(found)
    chunks = split(body)
    for code in found:
        if count_words(code) + 8 <= 80:
            assert any(code in chunk.text for chunk in chunks)


def test_steps_stay_with_their_introduction() -> None:
    filler = "Some words that fill the chunk before the list begins. " * 5
    steps = "Do this now:\n\n1. Open the lid of the case.\n\n   ![](a.png)\n\n2. Close it well again."
    body = f"{filler}\n\n{steps}"
    chunks = split(body)
    assert chunks[-1].text == steps
    assert len(chunks) == 2


def test_steps_stay_together_across_a_picture() -> None:
    one, two, three = (f"{n}. Open the lid and pull the tray out and put it back in." for n in (1, 2, 3))
    body = f"Do this:\n\n{one}\n\n![The lid](lid.png)\n\n{two}\n\n![](x.png)\n\n{three}"
    assert [chunk.text for chunk in split(body, target=20)] == [body]


def test_a_list_above_the_target_but_within_the_limit_stays_whole() -> None:
    items = "\n".join(f"{n}. Open the lid and pull the tray out" for n in range(1, 7))
    body = f"Do this:\n\n{items}"
    assert [chunk.text for chunk in split(body, target=20)] == [body]


def test_a_list_that_is_too_long_goes_on_with_its_introduction_as_preface() -> None:
    items = "\n".join(f"- Point {n} with a few more words in it" for n in range(20))
    chunks = split(f"A first sentence. These are the points:\n\n{items}")
    assert chunks[0].text.startswith("A first sentence. These are the points:\n\n- Point 0")
    assert len(chunks) > 2
    assert {chunk.preface for chunk in chunks[1:]} == {"These are the points:"}


def test_a_list_that_fits_alone_is_not_cut_for_its_introduction() -> None:
    intro = "This long introduction has many words. " * 8 + "The points are:"
    items = "\n".join(f"- Point {n} and more words" for n in range(8))
    chunks = split(f"{intro}\n\n{items}")
    assert chunks[-1].text == items
    assert chunks[-1].preface == "The points are:"


def test_only_one_oversized_item_is_cut_and_its_neighbours_are_not() -> None:
    long_item = "- " + " ".join(f"Sentence number {n} is here." for n in range(40))
    chunks = split(f"- small one\n{long_item}\n- small two")
    assert any("- small one" in chunk.text for chunk in chunks)
    assert any("- small two" in chunk.text for chunk in chunks)
    for chunk in chunks:
        assert chunk.text.endswith((".", "small one", "small two"))


def test_nested_list_that_is_cut_out_reads_as_a_list() -> None:
    inner = "\n".join(f"      - inner point {n} with words" for n in range(20))
    chunks = split(f"1. outer\n   - middle\n{inner}")
    assert len(chunks) > 1
    for chunk in chunks:
        assert "- " not in embedded_text("", (), chunk.text)


def test_headings_become_the_path_and_not_the_text() -> None:
    chunks = split("Lead.\n\n# A *b* `c`\n\nOne.\n\n### Deep\n\nTwo.\n\nSetext\n------\n\nThree.")
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [
        ((), "Lead."),
        (("A b c",), "One."),
        (("A b c", "Deep"), "Two."),
        (("A b c", "Setext"), "Three."),
    ]


def test_headings_without_content_are_found_once_and_together() -> None:
    chunks = split("# One\n\n## Two\n\n## Three\n\n# Four\n\nText.")
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [
        (("One",), "## Two\n\n## Three"),
        (("Four",), "Text."),
    ]


@pytest.mark.parametrize(
    "body", ["", " \n\t\r\n ", "---", "<!-- note -->", "<div></div>", "![](a.png)", "[r]: /x", "#"]
)
def test_nothing_to_read_gives_no_chunk(body: str) -> None:
    assert split(body) == []


@pytest.mark.parametrize("title", ["word " * 300, "x" * 5000, "", "漢" * 400])
@pytest.mark.parametrize(
    "body", ["y" * 5000, "Ein Satz. " * 200, "# " + "h " * 400 + "\n\ntext", "a " * 2000]
)
def test_the_limit_holds_beside_a_giant_title_word_or_heading(title: str, body: str) -> None:
    chunks = split(body, title=title, max_tokens=256, target=180)
    assert chunks
    if not body.startswith("#"):
        assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(body.split())


def test_the_limit_holds_for_a_tokenizer_that_makes_tokens_of_bytes() -> None:
    def count_bytes(text: str) -> int:
        return len(text.encode())

    title, body = "🙂" * 300, "# " + "🙂 " * 90 + "\n\n" + "🙂" * 300
    chunks = split_article(title, body, count_tokens=count_bytes, max_tokens=256)
    assert "".join(chunk.text for chunk in chunks) == "🙂" * 300
    for chunk in chunks:
        assert count_bytes(embedded_text(title, chunk.heading_path, chunk.text, chunk.preface)) <= 256


def test_a_limit_without_room_is_refused_and_not_ignored() -> None:
    with pytest.raises(ValueError, match="max_tokens=9"):
        split_article("A title of some words", "Text.", count_tokens=count_words, max_tokens=9)


def test_html_becomes_readable_text_and_is_not_cut_inside_a_tag() -> None:
    cards = "\n".join(
        f'<div class="card" title="No. One. Two"><p>Card {n} &amp; more. Ask us.</p>'
        f'<a href="https://x.test/a.%20b">Go</a></div>'
        for n in range(30)
    )
    body = f"<section><style>p {{}}</style>{cards}</section>"
    chunks = split(body)
    assert len(chunks) > 3
    for chunk in chunks:
        embedded = embedded_text("", (), chunk.text, chunk.preface)
        assert not re.search(r"[<>{}]|class|href|https|title", embedded)
    assert "Card 29 & more." in embedded_text("", (), chunks[-1].text)


def test_a_sentence_end_inside_an_attribute_is_no_place_to_cut() -> None:
    body = (
        "<p>" + " ".join(f'<b title="No way. One more. Two">Card number {n}</b>' for n in range(60)) + "</p>"
    )
    chunks = split(body)
    assert len(chunks) > 2
    for chunk in chunks:
        assert "way" not in embedded_text("", (), chunk.text)


def test_embedded_text_is_free_of_markup() -> None:
    markdown = (
        '> [!NOTE]\n> **Bold** [link](https://x.test "t") ![Gear](g.png) ![shot.png](s.png)<br>'
        "`a_b` &amp; ~~c~~\n\n- x"
    )
    assert embedded_text("T", ("H",), markdown, "Before:") == "T\nH\nBefore:\nBold link Gear\na_b & c\nx"


def test_a_title_that_is_repeated_as_first_heading_is_embedded_once() -> None:
    assert embedded_text("Reset it", ("Reset it", "Now"), "x") == "Reset it\nNow\nx"


def test_a_link_target_is_not_cut() -> None:
    body = " ".join(f"word [text {n}](https://x.test/a_b.C?q={n})" for n in range(60))
    for chunk in split(body):
        assert chunk.text.count("](") == chunk.text.count(")")
        assert "https" not in embedded_text("", (), chunk.text)


def test_a_megabyte_is_linear() -> None:
    calls = 0

    def count(text: str) -> int:
        nonlocal calls
        calls += 1
        return 2 + text.count(" ")

    paragraph = "This is a sentence with nine words in it. " * 12 + "\n\n"
    body = paragraph * 2000
    started = time.monotonic()
    chunks = split_article("T", body, count_tokens=count, max_tokens=256)
    assert len(body) > 1_000_000
    assert len(chunks) == 2000
    assert calls < 5 * 2000
    assert time.monotonic() - started < 15
    for text in ("a " * 100_000, "<p" * 50_000, " " * 100_000 + "x", "." * 50_000, "x" * 100_000):
        calls = 0
        split_article("T", text, count_tokens=lambda t: 2 + len(t) // 4, max_tokens=256)
    assert time.monotonic() - started < 18


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Es gilt z. B. am 1. Mai um 3.5 Uhr. Dann nicht.",
            ["Es gilt z. B. am 1. Mai um 3.5 Uhr.", "Dann nicht."],
        ),
        ("Siehe Nr. 5, d. h. unten! Klar?", ["Siehe Nr. 5, d. h. unten!", "Klar?"]),
        ("Use e.g. Firefox. Ask Dr. Smith.", ["Use e.g. Firefox.", "Ask Dr. Smith."]),
        ("The answer is no. Then wait.", ["The answer is no.", "Then wait."]),
        ("Es kostet 5. Danach 6.", ["Es kostet 5.", "Danach 6."]),
        ("Am 3. Tag bzw. Der Rest", ["Am 3. Tag bzw. Der Rest"]),
        ("1. Open it. Wait.\n2. Close it.", ["1. Open it.", "Wait.", "2. Close it."]),
        ('He said "Stop." Then left (really!). Yes', ['He said "Stop."', "Then left (really!).", "Yes"]),
        ("One\n\nTwo", ["One", "Two"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in split_sentences(text)] == expected


@given(st.text(alphabet='aB1 .!?\n\r\t-*|:)"ä。', max_size=120))
def test_sentences_cover_everything_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(start < end for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
