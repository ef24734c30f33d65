from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0005_mark_what_is_indexed"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="article", name="article_outbox"),
        migrations.RemoveField(model_name="article", name="indexed_at"),
        migrations.RemoveField(model_name="article", name="indexed_fingerprint"),
        migrations.RemoveField(model_name="article", name="indexed_recipe"),
        migrations.AddIndex(
            model_name="article",
            index=models.Index(fields=["content_fingerprint", "content_changed_at"], name="article_edition"),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.UniqueConstraint(
                fields=["state"], condition=~Q(state="retired"), name="generation_one_of_each_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.CheckConstraint(
                condition=Q(state__in=["building", "live", "retired"]), name="generation_state_is_known"
            ),
        ),
    ]
