"""Says of stored passages what text they were cut from, where that is certain; the rest is cut anew.

A revision number alone is not certain: two texts may share one. But an article whose text was marked as indexed,
and whose passages have its revision, has the passages of that text. Nothing is embedded again for the others
unless their text has changed: vectors are found by what was embedded.

On its own, because PostgreSQL alters no table whose rows were changed in the same transaction.
"""

from django.db import migrations
from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.functions import Left

TEXT_DIGITS = 32  # of an article's fingerprint; the rest is for visibility


def fingerprint(apps, schema_editor):
    Article = apps.get_model("knowledge", "Article")
    Passage = apps.get_model("knowledge", "Passage")
    # When the last edit was is not known any more; the last save comes next to it.
    Article.objects.update(content_changed_at=F("updated_at"))

    text = Left("content_fingerprint", TEXT_DIGITS)
    indexed = Article.objects.alias(text=text, indexed=Left("indexed_fingerprint", TEXT_DIGITS)).filter(
        text=F("indexed")
    )
    its_article = indexed.filter(pk=OuterRef("article_id"), revision=OuterRef("revision"))
    Passage.objects.filter(Exists(its_article)).update(
        text_fingerprint=Subquery(Article.objects.filter(pk=OuterRef("article_id")).values(text=text)[:1])
    )
    uncertain = Passage.objects.filter(
        article_id=OuterRef("pk"), recipe=OuterRef("indexed_recipe"), text_fingerprint=""
    )
    Article.objects.filter(Exists(uncertain)).update(indexed_fingerprint="")


class Migration(migrations.Migration):

    dependencies = [
        ("knowledge", "0002_outbox_and_text_fingerprint"),
    ]

    operations = [migrations.RunPython(fingerprint, migrations.RunPython.noop)]
