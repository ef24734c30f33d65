"""The first German input table: every German piece starts as a mix of the English pieces it stands for.

After WECHSEL (Minixhofer, Paischer & Rekabsaz 2022), with word alignment in place of bilingual word vectors:
both languages come to lie in the one space that the frozen transformer already reads.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from knowledge.german.alignment import Translations
from knowledge.german.wordpieces import CONTINUATION

BEST = 5  # English pieces a German one is mixed from
LEAST_PROBABILITY = 0.03  # below, a translation is chance
HALF_AT = 7e-4  # share of a text's pieces at which one counts half
NORM = 0.95  # of the mean norm of the parts: a mean is shorter than what it is a mean of
_GRAMS = range(3, 6)  # lengths of the character n-grams that find spelling neighbours


def initial_table(
    translations: Translations,
    *,
    german_pieces: Mapping[str, int],
    english_pieces: Mapping[str, int],
    english_table: NDArray[np.float32],
    english_counts: NDArray[np.int64],
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """The table, float32 of shape (German pieces, dimension), and how many pieces came from where.

    `english_table` has shape (English pieces, dimension), `english_counts` how often each was seen in the
    aligned text.
    """
    table = np.zeros((len(german_pieces), english_table.shape[1]), dtype=np.float32)
    is_set = np.zeros(len(german_pieces), dtype=bool)

    for piece, number in german_pieces.items():
        core = piece.removeprefix(CONTINUATION)
        if piece in english_pieces and not any(letter.isalpha() for letter in core):
            table[number] = english_table[english_pieces[piece]]  # digits and punctuation mean the same
            is_set[number] = True
    for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        table[german_pieces[piece]] = english_table[english_pieces[piece]]
        is_set[german_pieces[piece]] = True
    copied = int(is_set.sum())

    # Brackets and commas stand beside a word and never for it.
    has_meaning = np.zeros(len(english_table), dtype=bool)
    has_meaning[[number for piece, number in english_pieces.items() if any(map(str.isalpha, piece))]] = True
    mixing = _mixing_weights(translations, len(german_pieces), has_meaning, english_counts)
    mixed = np.flatnonzero((np.diff(mixing.indptr) > 0) & ~is_set)
    table[mixed] = _with_norm(mixing[mixed], english_table)
    is_set[mixed] = True

    same = [
        (number, english_pieces[piece])
        for piece, number in german_pieces.items()
        if not is_set[number] and piece in english_pieces and len(piece.removeprefix(CONTINUATION)) > 3
    ]
    for number, english in same:
        table[number] = english_table[english]
        is_set[number] = True

    missing = np.flatnonzero(~is_set)
    known = np.flatnonzero(is_set)
    table[missing] = _with_norm(_spelling_neighbours(german_pieces, missing, known), table[known])
    origin = {"copied": copied, "aligned": len(mixed), "same_spelling": len(same), "neighbours": len(missing)}
    return table, origin


def piece_weights(frequencies: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much each piece counts in the mean of a text, 0..1, from its share of running text, 0..1; (pieces,) both.

    a / (a + p) of smooth inverse frequency (Arora, Liang & Ma 2017, "A simple but tough-to-beat baseline for sentence
    embeddings"). The English transformer weighs its words by itself; behind another table it does that less well.
    """
    return np.asarray(HALF_AT / (HALF_AT + frequencies), dtype=np.float32)


def _mixing_weights(
    translations: Translations, pieces: int, has_meaning: NDArray[np.bool_], english_counts: NDArray[np.int64]
) -> sparse.csr_array:
    """Rows of at most BEST weights that sum to 1: p·max(0, log(p / p_en)), so that frequent words count less."""
    overall = english_counts / max(1, english_counts.sum())
    p = translations.probability
    gain = p * np.maximum(0.0, np.log(p / np.maximum(overall[translations.english], 1e-12)))
    useful = (p > LEAST_PROBABILITY) & (gain > 0) & has_meaning[translations.english]
    german, english, gain = translations.german[useful], translations.english[useful], gain[useful]
    order = np.lexsort((english, -gain, german))
    german, english, gain = german[order], english[order], gain[order]
    place = np.arange(len(german)) - np.searchsorted(german, german, side="left")
    best = place < BEST
    weights = sparse.csr_array((gain[best], (german[best], english[best])), shape=(pieces, len(has_meaning)))
    totals = weights.sum(axis=1)
    return sparse.csr_array(sparse.diags_array(1.0 / np.where(totals > 0, totals, 1.0)) @ weights)


def _with_norm(weights: sparse.csr_array, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted means of `vectors`, brought to NORM of the weighted mean of their norms."""
    mean = np.asarray(weights @ vectors)
    wanted = NORM * np.asarray(weights @ np.linalg.norm(vectors, axis=1))
    length = np.linalg.norm(mean, axis=1)
    scaled = mean * (wanted / np.where(length > 0, length, 1.0))[:, None]
    return np.asarray(scaled, dtype=np.float32)


def _spelling_neighbours(
    pieces: Mapping[str, int], missing: NDArray[np.int64], known: NDArray[np.int64]
) -> sparse.csr_array:
    """For pieces without a translation, BEST known ones that share most character n-grams; rows sum to 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    spelling = {number: piece for piece, number in pieces.items()}

    def marked(numbers: NDArray[np.int64]) -> list[str]:
        # A word's beginning is part of its shape; a continuation has none.
        return [
            spelling[number].removeprefix(CONTINUATION)
            if spelling[number].startswith(CONTINUATION)
            else f"^{spelling[number]}"
            for number in numbers.tolist()
        ]

    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=(_GRAMS.start, _GRAMS.stop - 1), sublinear_tf=True
    )
    shapes = vectorizer.fit_transform(marked(known))
    nearness = sparse.csr_array(vectorizer.transform(marked(missing)) @ shapes.T)
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row in range(len(missing)):
        start, end = nearness.indptr[row], nearness.indptr[row + 1]
        best = np.argsort(-nearness.data[start:end], kind="stable")[:BEST]
        if not len(best):  # no n-gram in common with anything: the middle of all
            rows.extend([row] * len(known))
            columns.extend(range(len(known)))
            values.extend([1.0 / len(known)] * len(known))
            continue
        weight = nearness.data[start:end][best] ** 2
        rows.extend([row] * len(best))
        columns.extend(nearness.indices[start:end][best].tolist())
        values.extend((weight / weight.sum()).tolist())
    return sparse.csr_array((values, (rows, columns)), shape=(len(missing), len(known)))
