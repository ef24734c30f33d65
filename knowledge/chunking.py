"""Cutting an article into chunks: the text that is embedded, found and quoted.

Promise, for every chunk: `body[chunk.start:chunk.end] == chunk.text`, and `embedded_text` of it stays
within `max_tokens`, so that no model cuts anything off unseen. Every readable word of the body is in a
chunk or in the heading path of one. A list item, a table row or a code block is cut only where it alone is
too large; a list stays with the paragraph that introduces it where both fit.

Refuses to decide: which tokenizer counts, what is stored, and whether a chunk is a good answer. A heading
with nothing below it is content that has no other place, so it becomes a chunk of its own. Front matter is
not known here: whoever imports files takes it off.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from knowledge.blocks import Block, BlockKind, Heading, Section, parse_sections
from knowledge.plaintext import join_preface, plain_text
from knowledge.sentences import split_sentences
from knowledge.splitting import cut_block, middle_of

CHUNKER_GENERATION: int = 1  # part of the recipe; raise when output changes

TARGET_TOKENS = 180

# Titles and paths lead every chunk, so their length is taken from every chunk's room. Bytes, because no usual
# tokenizer makes more than one token of a byte: 256 tokens always leave room for text.
_TITLE_BYTES = 160
_PATH_BYTES = 160
_PREFACE_SHARE = 3  # a preface may take a third of a chunk's room
_SMALL_SHARE = 4  # a chunk below a quarter of the target joins its neighbour up to the limit itself
_LEAST_ROOM = 8  # tokens; fewer cannot even hold one exotic character
_BETWEEN_STEPS = 3  # blocks that may stand between two parts of one numbered list
_INTRODUCED = frozenset([BlockKind.LIST, BlockKind.TABLE, BlockKind.CODE])
_MADE_OF_BLOCKS = frozenset([BlockKind.LIST, BlockKind.ITEM, BlockKind.QUOTE])

TokenCounter: TypeAlias = Callable[[str], int]


@dataclass(frozen=True)
class Chunk:
    text: str  # verbatim: body[start:end]
    heading_path: tuple[str, ...]  # outermost first, plain text
    position: int  # 0-based
    start: int  # character offset into the article body
    end: int  # character offset into the article body, exclusive
    preface: str = ""  # Markdown, embedded and searched in front of the text, never quoted


def embedded_text(title: str, chunk_heading_path: Sequence[str], text: str, preface: str = "") -> str:
    """What the model and the word index read: title, headings, preface and text, without markup.

    A very long title is shortened, and of a very long path the innermost headings stay.
    """
    content = plain_text(join_preface(preface, text), list_markers=False)
    return "\n".join(part for part in (*_prefix(title, chunk_heading_path), content) if part)


def split_article(
    title: str, body: str, *, count_tokens: TokenCounter, max_tokens: int, target_tokens: int = TARGET_TOKENS
) -> list[Chunk]:
    """The chunks of an article in reading order.

    `max_tokens` is the model's limit and `count_tokens` counts as the model does, special tokens included and
    without cutting off. Small neighbours under one heading are merged until `target_tokens`.

    Raises ValueError where the limit leaves no room for text next to the title.
    """
    chunks: list[Chunk] = []
    for section in _with_lone_headings(body, parse_sections(body)):
        packer = _Packer(title, body, section, count_tokens, max_tokens, target_tokens)
        chunks.extend(packer.chunks())
    return [replace(chunk, position=position) for position, chunk in enumerate(chunks)]


def _prefix(title: str, headings: Sequence[str]) -> list[str]:
    title = _shorten(" ".join(title.split()), _TITLE_BYTES)
    kept: list[str] = []
    room = _PATH_BYTES
    for heading in reversed(headings):
        shortened = _shorten(heading, room)
        if not shortened:
            break
        room -= len(shortened.encode())
        kept.insert(0, shortened)
    # Many articles repeat their title as the first heading; saying it twice only dilutes the vector.
    if kept and kept[0].casefold() == title.casefold():
        del kept[0]
    return [title, *kept]


def _shorten(text: str, limit_bytes: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit_bytes:
        return text
    cut = encoded[: max(limit_bytes, 0)].decode("utf-8", "ignore")
    at_word, space, _ = cut.rpartition(" ")
    return at_word if space else cut


def _with_lone_headings(body: str, sections: list[Section]) -> Iterator[Section]:
    """Turn headings that have nothing below them into blocks of the section around them."""
    pending: Section | None = None
    for index, section in enumerate(sections):
        current = section
        if section.headings and not _readable(body, section.blocks):
            below = sections[index + 1].headings if index + 1 < len(sections) else ()
            heading = section.headings[-1]
            if heading in below:
                continue  # it lives on in the path of what follows
            if not heading.text:
                continue
            blocks = (Block(BlockKind.PARAGRAPH, heading.start, heading.end), *section.blocks)
            current = Section(section.headings[:-1], blocks)
        if pending is not None and current.headings == pending.headings:
            pending = Section(pending.headings, pending.blocks + current.blocks)
            continue
        if pending is not None:
            yield pending
        pending = current
    if pending is not None:
        yield pending


def _readable(body: str, blocks: Sequence[Block]) -> bool:
    return any(plain_text(body[block.start : block.end]) for block in blocks)


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is never cut any further. `preface` counts only where the atom begins a chunk."""

    start: int
    end: int
    tokens: int
    preface: str = ""
    preface_tokens: int = 0


class _Packer:
    """Makes chunks of one section."""

    def __init__(
        self,
        title: str,
        body: str,
        section: Section,
        count_tokens: TokenCounter,
        max_tokens: int,
        target_tokens: int,
    ) -> None:
        self._title, self._body, self._section = title, body, section
        self._count, self._max_tokens = count_tokens, max_tokens
        self._specials = count_tokens("")
        self._path, prefix_tokens = self._fitting_path(section.headings)
        self._room = max_tokens - prefix_tokens
        self._target = min(self._room, max(target_tokens - prefix_tokens, self._room // 2))

    def chunks(self) -> Iterator[Chunk]:
        atoms = [atom for group in self._groups() for atom in self._atoms_of_group(group)]
        for run in self._pack(atoms):
            yield from self._checked(run)

    def _fitting_path(self, headings: Sequence[Heading]) -> tuple[tuple[str, ...], int]:
        path = tuple(heading.text for heading in headings if heading.text)
        while True:
            tokens = self._count("\n".join(_prefix(self._title, path)))
            if self._max_tokens - tokens >= _LEAST_ROOM:
                return path, tokens
            if not path:
                raise ValueError(f"max_tokens={self._max_tokens} leaves no room beside a title of {tokens}")
            path = path[1:]

    def _groups(self) -> list[list[Block]]:
        """Blocks that belong together: an introduction and its list, and steps that go on counting."""
        groups: list[list[Block]] = []
        for block in self._section.blocks:
            if block.number is not None and block.number > 1:
                # A picture or a note between two steps ends the list for Markdown, not for the reader.
                last = next((i for i in range(len(groups) - 1, -1, -1) if _counts(groups[i])), len(groups))
                if last >= len(groups) - _BETWEEN_STEPS:
                    groups[last:] = [[*(member for group in groups[last:] for member in group), block]]
                    continue
            if groups and self._introduces(groups[-1][-1], block):
                groups[-1].append(block)
            else:
                groups.append([block])
        return groups

    def _introduces(self, first: Block, second: Block) -> bool:
        if first.kind is not BlockKind.PARAGRAPH or second.kind not in _INTRODUCED:
            return False
        text = self._body[first.start : first.end]
        return second.kind is BlockKind.LIST or text.rstrip("*_ ").endswith(":")

    def _cost(self, start: int, end: int) -> int:
        text = plain_text(self._body[start:end], list_markers=False)
        return max(1, self._count(text) - self._specials) if text else 0

    def _atoms_of_group(self, group: list[Block]) -> list[_Atom]:
        costs = [(block, cost) for block in group if (cost := self._cost(block.start, block.end))]
        if not costs:
            return []
        total = sum(cost for _, cost in costs)
        if total <= self._room:
            return [_Atom(costs[0][0].start, costs[-1][0].end, total)]
        atoms: list[_Atom] = []
        preface = ""
        previous: Block | None = None
        for block, cost in costs:
            introduced = previous is not None and self._introduces(previous, block)
            if previous is not None and introduced:
                preface = self._last_sentence(previous)
            continued = preface if block.kind in _INTRODUCED else ""
            if cost <= self._room:
                found = [self._atom(block.start, block.end, cost, continued)]
            else:
                found = self._cut(block, continued)
            if introduced and atoms and found and atoms[-1].tokens + found[0].tokens <= self._room:
                # At least the first step stays with its introduction.
                lead = atoms.pop()
                found[0] = replace(lead, end=found[0].end, tokens=lead.tokens + found[0].tokens)
            atoms.extend(found)
            previous = block
        return atoms

    def _last_sentence(self, block: Block) -> str:
        text = self._body[block.start : block.end]
        start, end = split_sentences(text)[-1]
        return text[start:end]

    def _atom(self, start: int, end: int, tokens: int, *prefaces: str) -> _Atom:
        """An atom with the first of the prefaces that leaves it enough room."""
        for preface in prefaces:
            text = plain_text(preface, list_markers=False) if preface else ""
            cost = self._count(text) - self._specials if text else 0
            if text and cost <= self._room // _PREFACE_SHARE and cost + tokens <= self._room:
                return _Atom(start, end, tokens, preface, cost)
        return _Atom(start, end, tokens)

    def _cut(self, block: Block, preface: str = "") -> list[_Atom]:
        if block.kind is BlockKind.TABLE and len(block.children) > 1:
            return self._cut_table(block, preface)
        if block.kind in _MADE_OF_BLOCKS and block.children:
            return [atom for child in block.children for atom in self._whole_or_cut(child, preface)]
        pieces = cut_block(self._body, block.start, block.end, block.kind, cost=self._cost, room=self._room)
        return [self._atom(start, end, tokens, preface) for start, end, tokens in pieces]

    def _whole_or_cut(self, block: Block, *prefaces: str) -> list[_Atom]:
        cost = self._cost(block.start, block.end)
        if cost > self._room:
            return self._cut(block, prefaces[0])
        return [self._atom(block.start, block.end, cost, *prefaces)] if cost else []

    def _cut_table(self, table: Block, preface: str) -> list[_Atom]:
        first, *others = table.children[1:]
        head = self._body[table.start : first.start].strip()
        # The first row takes the head with it; the head goes in front of the others as their preface.
        atoms = self._whole_or_cut(replace(first, start=table.start), preface)
        for row in others:
            atoms.extend(self._whole_or_cut(row, f"{preface}\n\n{head}" if preface else head, head))
        return atoms

    def _pack(self, atoms: Sequence[_Atom]) -> list[list[_Atom]]:
        runs: list[list[_Atom]] = []
        sizes: list[int] = []
        small = self._target // _SMALL_SHARE
        for atom in atoms:
            limit = self._room if runs and sizes[-1] <= small else self._target
            if runs and sizes[-1] + atom.tokens <= limit:
                runs[-1].append(atom)
                sizes[-1] += atom.tokens
            else:
                runs.append([atom])
                sizes.append(atom.tokens + atom.preface_tokens)
        if len(runs) > 1 and sizes[-1] <= small and sizes[-2] + sizes[-1] <= self._room:
            runs[-2:] = [runs[-2] + runs[-1]]
        return runs

    def _checked(self, run: Sequence[_Atom]) -> Iterator[Chunk]:
        """Tokenizers do not promise that costs add up: the limit is kept by counting the result."""
        start, end, preface = run[0].start, run[-1].end, run[0].preface
        text = self._body[start:end]
        if self._fits(text, preface):
            yield Chunk(text, self._path, 0, start, end, preface)
        elif preface:
            yield from self._checked([replace(run[0], preface=""), *run[1:]])
        elif len(run) > 1:
            half = len(run) // 2
            yield from self._checked(run[:half])
            yield from self._checked(run[half:])
        elif len(text) > 1:
            middle = middle_of(text)
            for first, last in ((start, start + middle), (start + middle, end)):
                if self._cost(first, last):
                    yield from self._checked([_Atom(first, last, 0)])
        else:
            raise ValueError(f"max_tokens={self._max_tokens} leaves no room for a single character of text")

    def _fits(self, text: str, preface: str) -> bool:
        return self._count(embedded_text(self._title, self._path, text, preface)) <= self._max_tokens


def _counts(group: Sequence[Block]) -> bool:
    return any(block.number is not None for block in group)
