"""Order out of two signals, also where one of them is weak, missing or in another language."""

import dataclasses
import itertools

import pytest

from knowledge.fusion import Candidate, FusionWeights, Mix, article_order, default_weights, fuse
from knowledge.fusion_fitting import LabelledPool, fit, leave_one_corpus_out, measure

WEIGHTS = FusionWeights(
    same_language={"": Mix(lexical=0.5, headings=0.5)},
    other_language=Mix(lexical=0.1, headings=0.5),
    follow_ups=default_weights().follow_ups,
    provenance="tests",
)


def order(*candidates: Candidate, language: str = "en") -> list[int]:
    return [entry.passage_id for entry in fuse(candidates, language=language, weights=WEIGHTS)]


def test_both_signals_count() -> None:
    semantic, lexical, both = Candidate(1, 1, 0.7, 0.0), Candidate(2, 2, 0.2, 9.0), Candidate(3, 3, 0.65, 8.0)
    assert order(semantic, lexical, both) == [3, 1, 2]


def test_every_order_of_candidates_gives_one_ranking() -> None:
    candidates = [Candidate(1, 1, 0.5, 3.0), Candidate(2, 1, 0.5, 3.0), Candidate(3, 2, 0.6, 1.0)]
    assert len({tuple(order(*given)) for given in itertools.permutations(candidates)}) == 1
    assert order(*candidates)[:2] == [1, 2], "equal values are ordered by passage id"


def test_without_vectors_bm25_decides() -> None:
    assert order(Candidate(1, 1, None, 1.0), Candidate(2, 2, None, 4.0), Candidate(3, 3, None, 2.0)) == [
        2,
        3,
        1,
    ]


def test_without_a_word_index_cosine_decides() -> None:
    assert order(Candidate(1, 1, 0.1, None), Candidate(2, 2, 0.4, None), Candidate(3, 3, -0.2, None)) == [
        2,
        1,
        3,
    ]


def test_without_any_common_word_cosine_decides() -> None:
    assert order(Candidate(1, 1, 0.1, 0.0), Candidate(2, 2, 0.4, 0.0)) == [2, 1]


def test_one_missing_vector_is_no_advantage() -> None:
    assert order(Candidate(1, 1, None, 2.0), Candidate(2, 2, 0.3, 2.0), Candidate(3, 3, 0.1, 2.0)) == [
        2,
        1,
        3,
    ]


def test_a_heading_near_the_question_lifts_its_text() -> None:
    diluted = Candidate(1, 1, 0.6, 1.0, heading_cosine=0.9)
    assert order(diluted, Candidate(2, 2, 0.7, 1.0, heading_cosine=0.7)) == [1, 2]


def test_a_heading_that_was_not_embedded_is_no_disadvantage() -> None:
    """On a site whose index is being built anew some passages have none yet."""
    assert order(Candidate(1, 1, 0.6, 1.0), Candidate(2, 2, 0.5, 1.0, heading_cosine=0.6)) == [1, 2]


def test_bm25_of_another_language_counts_less_than_its_vectors() -> None:
    names = Candidate(1, 1, 0.3, 9.0, is_other_language=True)
    meaning = Candidate(2, 2, 0.6, 1.0, is_other_language=True)
    assert order(names, meaning) == [2, 1]
    assert order(Candidate(1, 1, 0.3, 9.0), Candidate(2, 2, 0.6, 1.0)) == [1, 2]


def test_bm25_of_two_languages_is_never_compared() -> None:
    own = [Candidate(1, 1, 0.5, 2.0), Candidate(2, 2, 0.5, 1.0)]
    huge = Candidate(3, 3, 0.2, 500.0, is_other_language=True)
    assert order(*own, huge) == [1, 2, 3]


def test_article_order_takes_the_best_passage_of_each() -> None:
    ranked = fuse(
        [Candidate(1, 7, 0.9, 1.0), Candidate(2, 8, 0.8, 1.0), Candidate(3, 7, 0.1, 0.0)],
        language="en",
        weights=WEIGHTS,
    )
    assert article_order(ranked) == [7, 8]


def test_no_candidates_no_ranking() -> None:
    assert fuse([], language="en", weights=WEIGHTS) == []


@pytest.mark.parametrize("language", ["de", "en", "fr"])
def test_the_shipped_weights_use_both_signals(language: str) -> None:
    weights = default_weights()
    assert weights.provenance
    assert 0.1 <= weights.mix(language, is_other_language=False).lexical <= 1.2
    assert 0.0 <= weights.mix(language, is_other_language=False).headings <= 0.5


def en_fit(labelled: list[LabelledPool]) -> Mix:
    return fit(labelled, language="en")


def pools(corpus: str, *, trust: str) -> list[LabelledPool]:
    """Twenty questions whose right article (1) one signal knows and the other denies, by varying margins."""
    made = []
    for step in range(20):
        margin = 0.02 * step
        right = (
            Candidate(1, 1, 0.5 + margin, 5.0) if trust == "cosine" else Candidate(1, 1, 0.5 - margin, 5.0)
        )
        wrong = Candidate(2, 2, 0.5, 10.0) if trust == "cosine" else Candidate(2, 2, 0.5, 2.0)
        made.append(LabelledPool(corpus, "en", (right, wrong), frozenset([1])))
    return made


def test_fit_finds_the_signal_to_trust() -> None:
    semantic, lexical = en_fit(pools("a", trust="cosine")), en_fit(pools("b", trust="bm25"))
    assert semantic.lexical < 0.3 < lexical.lexical
    for trust, mix in (("cosine", semantic), ("bm25", lexical)):
        best = measure(pools("x", trust=trust), mix).hit_at_1
        worst = measure(pools("x", trust=trust), lexical if trust == "cosine" else semantic).hit_at_1
        assert best > worst


def test_fit_is_deterministic() -> None:
    labelled = pools("a", trust="cosine") + pools("b", trust="bm25")
    assert en_fit(labelled) == en_fit(list(reversed(labelled)))


def test_fit_weighs_corpora_not_questions() -> None:
    many, few = pools("many", trust="bm25") * 9, pools("few", trust="cosine")
    assert en_fit(many + few) == en_fit(pools("many", trust="bm25") + few)


def test_the_own_language_has_the_louder_voice() -> None:
    lexical = [dataclasses.replace(pool, language="de") for pool in pools("b", trust="bm25")]
    both = pools("a", trust="cosine") + lexical
    assert fit(both, language="en").lexical < fit(both, language="de").lexical


def test_no_gain_elsewhere_makes_up_for_less_than_a_baseline() -> None:
    """Of one corpus BM25 alone is right, of many in another language the cosine alone: the own one is kept whole."""
    own = [dataclasses.replace(pool, language="de") for pool in pools("b", trust="bm25")]
    others = [pool for number in range(9) for pool in pools(f"a{number}", trust="cosine")]
    assert measure(own, fit(own + others, language="de")).hit_at_1 == 1.0
    assert measure(own, fit(own + others, language="en")).hit_at_1 < 1.0


def test_leaving_a_corpus_out_really_leaves_it_out() -> None:
    labelled = pools("a", trust="cosine") + pools("b", trust="bm25")
    results = leave_one_corpus_out(labelled)
    assert results["a"][0] == en_fit(pools("b", trust="bm25"))
    assert results["a"][1].questions == 20


def test_measure_counts_a_missing_article_and_a_tie_as_not_found() -> None:
    missing = LabelledPool("a", "en", (Candidate(1, 1, 0.5, 1.0),), frozenset([9]))
    tied = LabelledPool("a", "en", (Candidate(1, 1, 0.5, 1.0), Candidate(2, 2, 0.5, 1.0)), frozenset([1]))
    measured = measure([missing, tied], Mix(0.5, 0.0))
    assert (measured.hit_at_1, measured.hit_at_5, measured.mean_reciprocal_rank) == (0.0, 0.5, 0.25)


def test_fit_without_labels_says_so() -> None:
    with pytest.raises(ValueError, match="labelled"):
        en_fit([])
