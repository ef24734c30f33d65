"""Which generation of the index answers questions, and how one follows another.

Promise: exactly one is live, and it answers alone, with the model that made it, whatever the settings say by now. A
generation that the settings ask for is built beside it and takes its place in one transaction; the next question of
every process sees it. Whoever is killed leaves a row that says what is to be done.

Refuses to decide: what is in a generation and whether that is right (`knowledge.indexing`).
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from knowledge.embeddings import (
    Embedder,
    EmbedderUnavailable,
    Recipe,
    current_recipe,
    get_embedder,
    recipe_of,
)
from knowledge.models import Article, Generation, GenerationState, IndexMark
from knowledge.outbox import LEASE, MAX_ATTEMPTS

# Two versions of the settings run side by side while a site is restarted part by part. What others build is left
# to them for as long as they do.
_QUIET = timedelta(minutes=1)
_REFUSED_PAUSE = timedelta(minutes=1)
_LONGEST_PROBLEM = 500  # characters, what the column holds


@dataclass(frozen=True)
class Progress:
    """Of published articles."""

    done: int
    total: int
    given_up: int  # that the live generation has and this one cannot take: see their `index_error`


# --- for whoever reads -----------------------------------------------------------------------------------


def live() -> Generation | None:
    """None before the first article was indexed."""
    return Generation.objects.filter(state=GenerationState.LIVE).first()


def live_recipe() -> str:
    """Empty where there is none: of that nothing is fresh."""
    generation = live()
    return generation.recipe if generation is not None else ""


def building() -> Generation | None:
    return Generation.objects.filter(state=GenerationState.BUILDING).first()


def embedder_of(generation: Generation, *, is_awaited: bool = False) -> Embedder:
    """The model that made its vectors. Raises EmbedderUnavailable; `is_awaited` as in `get_embedder`."""
    trouble = trouble_of(generation)
    if trouble:
        raise EmbedderUnavailable(trouble)
    return get_embedder(generation.model, is_awaited=is_awaited)


def trouble_of(generation: Generation) -> str:
    """Why its model cannot be loaded any more, as far as that is known without trying; empty where nothing is."""
    if not generation.model:
        return f"It is not known which EMBEDDING_MODEL loads {generation.embedder!r}."
    try:
        space = recipe_of(generation.model).space
    except EmbedderUnavailable as error:
        return str(error)
    if generation.space and space != generation.space:
        return f"EMBEDDING_MODEL={generation.model!r} is not the model any more that the live index was made with."
    return ""


def progress_of(generation: Generation) -> Progress:
    published = Article.objects.for_index()
    lacking = _lacking(generation)
    return Progress(
        done=published.fresh(generation.recipe).count(),
        total=published.count(),
        given_up=lacking.filter(index_attempts__gte=MAX_ATTEMPTS).count(),
    )


# --- for whoever writes ----------------------------------------------------------------------------------


def in_service() -> Generation:
    """The live one; in an empty database the one that the settings ask for, which is live at once."""
    generation = live()
    if generation is not None:
        return generation
    recipe = current_recipe()
    try:
        with transaction.atomic():
            return Generation.objects.create(**_columns(recipe), state=GenerationState.LIVE, live_at=Now())
    except IntegrityError:  # another process was faster, or has been building it
        return Generation.objects.get(state=GenerationState.LIVE)


def wanted() -> Generation | None:
    """The generation that the settings ask for, where it is not live and this process may build it.

    What the settings ask for no longer is given up here. Raises EmbedderUnavailable where that cannot be told.
    """
    recipe = current_recipe()
    current = in_service()
    known = _live_at_first.setdefault(recipe.fingerprint, current.pk)
    under_way = building()
    if under_way is not None and under_way.recipe != recipe.fingerprint:
        given_up = (
            _of_row(under_way).filter(_is_quiet()).update(state=GenerationState.RETIRED, retired_at=Now())
        )
        if not given_up:
            return None
        under_way = None
    if current.recipe == recipe.fingerprint:
        if current.model != settings.EMBEDDING_MODEL:  # the same files elsewhere, and there they are found
            _of_row(current).update(model=settings.EMBEDDING_MODEL, space=recipe.space)
        return None
    if current.pk > known:
        return None  # somebody with newer settings put it there; this process was started before
    return under_way or _begin(recipe)


def written_to(generation: Generation) -> QuerySet[Generation]:
    """Its row, for as long as anything may be added to it."""
    return Generation.objects.filter(pk=generation.pk).exclude(state=GenerationState.RETIRED)


def claim(generation: Generation) -> bool:
    """A courtesy: two builders at once do no harm, but keep two workers from customers' work."""
    is_free = Q(claimed_at=None) | Q(claimed_at__lte=Now() - LEASE) | Q(claimed_at__gt=Now())
    return bool(_of_row(generation).filter(is_free).update(claimed_at=Now()))


def renew(generation: Generation) -> None:
    _of_row(generation).update(claimed_at=Now())


def release(generation: Generation) -> None:
    """For the next slice of work. The moment stays within _QUIET, so that the others see it goes on."""
    _of_row(generation).update(claimed_at=Now() - LEASE)


def tell_problem(generation: Generation, problem: str) -> None:
    """Why it does not get on; empty where it does."""
    if generation.problem != problem:
        _of_row(generation).update(problem=problem[:_LONGEST_PROBLEM])
        generation.problem = problem


def tell_verified(generation: Generation, problem: str) -> None:
    """Its canaries were asked; empty where they found themselves."""
    tell_problem(generation, problem)
    _of_row(generation).update(verified_at=Now())


def was_refused_lately(generation: Generation) -> bool:
    """The same again and again would only keep everybody busy."""
    refused = _of_row(generation).exclude(problem="")
    return refused.filter(verified_at__gt=Now() - _REFUSED_PAUSE, verified_at__lte=Now()).exists()


def lacks_articles(generation: Generation) -> bool:
    """Whether questions would lose any by it."""
    return _lacking(generation).exists()


def go_live(generation: Generation) -> bool:
    """False where it lacks an article by now, or is not being built any more."""
    with transaction.atomic():
        if lacks_articles(generation):
            return False
        Generation.objects.filter(state=GenerationState.LIVE).update(
            state=GenerationState.RETIRED, retired_at=Now()
        )
        if not _of_row(generation).update(state=GenerationState.LIVE, live_at=Now(), problem=""):
            transaction.set_rollback(True)
            return False
    return True


def retired() -> QuerySet[Generation]:
    """Those that may be removed: no question that was asked of them still runs."""
    grace = timedelta(seconds=settings.RETIRED_INDEX_SECONDS)
    return Generation.objects.filter(
        Q(live_at=None) | Q(retired_at__lt=Now() - grace), state=GenerationState.RETIRED
    )


# --- how ---------------------------------------------------------------------------------------------------

_live_at_first: dict[
    str, int
] = {}  # by what the settings ask for: what was live when this process first looked


def forget() -> None:
    """For tests: what a new process knows."""
    _live_at_first.clear()


def _begin(recipe: Recipe) -> Generation | None:
    """A new row even for what was live a moment ago: what it holds is kept, and whoever removes it stops."""
    try:
        with transaction.atomic():
            held = Generation.objects.filter(
                recipe=recipe.fingerprint, state=GenerationState.RETIRED
            ).delete()[0]
            if not held:  # no trust in marks that somebody left who was overtaken
                IndexMark.objects.filter(recipe=recipe.fingerprint).delete()
            return Generation.objects.create(**_columns(recipe), state=GenerationState.BUILDING)
    except IntegrityError:
        return building()  # another process was faster


def _columns(recipe: Recipe) -> dict[str, str]:
    return {
        "recipe": recipe.fingerprint,
        "model": settings.EMBEDDING_MODEL,
        "space": recipe.space,
        "embedder": recipe.embedder,
    }


def _of_row(generation: Generation) -> QuerySet[Generation]:
    """While it still is what it was when it was read."""
    return Generation.objects.filter(pk=generation.pk, state=generation.state)


def _lacking(generation: Generation) -> QuerySet[Article]:
    """What the live one answers from and this one would not."""
    return Article.objects.for_index().fresh(live_recipe()).stale(generation.recipe)


def _is_quiet() -> Q:
    """Nobody has worked at it lately; a moment in the future is that of a clock that was set back."""
    active = Q(claimed_at__gt=Now() - _QUIET, claimed_at__lte=Now())
    begun = Q(claimed_at=None, started_at__gt=Now() - _QUIET, started_at__lte=Now())
    return ~(active | begun)
