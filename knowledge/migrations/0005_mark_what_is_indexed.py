"""Says which generation is live, and marks in it what is indexed. Nothing is embedded again.

On its own, because PostgreSQL alters no table whose rows were changed in the same transaction.
"""

from django.conf import settings
from django.db import migrations
from django.db.models import Count, F

from knowledge.embeddings import BILINGUAL_MODEL, ENGLISH_MODEL, EmbedderUnavailable, Recipe, recipe_of


def say_which_is_live(apps, schema_editor):
    Article = apps.get_model("knowledge", "Article")
    Generation = apps.get_model("knowledge", "Generation")
    IndexMark = apps.get_model("knowledge", "IndexMark")

    for recipe in Generation.objects.values_list("recipe", flat=True):
        indexed = Article.objects.filter(indexed_recipe=recipe, indexed_fingerprint=F("content_fingerprint"))
        rows = indexed.values_list("pk", "content_fingerprint", "content_changed_at", "indexed_at")
        IndexMark.objects.bulk_create(
            (
                IndexMark(
                    article_id=pk, recipe=recipe, fingerprint=fingerprint, edition_at=at, indexed_at=since
                )
                for pk, fingerprint, at, since in rows.order_by("pk").iterator()
            ),
            batch_size=500,
        )
    live = _live(Generation, IndexMark)
    if live is None:
        return
    live.state = "live"
    live.live_at = live.started_at
    live.model, live.space = _model_of(live)
    live.save()


def _live(Generation, IndexMark):
    """What the settings ask for, as it answered until now; otherwise what holds most."""
    generations = list(Generation.objects.order_by("-started_at"))
    counts = dict(IndexMark.objects.values_list("recipe").annotate(marks=Count("pk")).order_by())
    wanted = _recipe_of(settings.EMBEDDING_MODEL)
    by_name = {generation.recipe: generation for generation in generations}
    if wanted is not None and wanted.fingerprint in by_name:
        return by_name[wanted.fingerprint]
    return max(generations, key=lambda generation: counts.get(generation.recipe, 0), default=None)


def _model_of(generation):
    """Only what people call the model was kept: a folder's last part, or all of a name."""
    for name in (settings.EMBEDDING_MODEL, BILINGUAL_MODEL, ENGLISH_MODEL, generation.embedder):
        recipe = _recipe_of(name)
        if recipe is not None and recipe.embedder == generation.embedder:
            return name, recipe.space if recipe.fingerprint == generation.recipe else ""
    return "", ""


def _recipe_of(name: str) -> Recipe | None:
    try:
        return recipe_of(name)
    except EmbedderUnavailable:
        return None


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0004_generations"),
    ]

    operations = [migrations.RunPython(say_which_is_live, migrations.RunPython.noop)]
