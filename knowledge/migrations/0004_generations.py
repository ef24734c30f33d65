import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0003_fingerprint_stored_passages"),
    ]

    operations = [
        migrations.RenameModel(old_name="IndexState", new_name="Generation"),
        migrations.AlterModelOptions(
            name="generation",
            options={
                "verbose_name": "generation of the index",
                "verbose_name_plural": "generations of the index",
            },
        ),
        migrations.RenameField(model_name="generation", old_name="created_at", new_name="started_at"),
        migrations.RemoveField(model_name="generation", name="dimension"),
        migrations.AddField(
            model_name="generation",
            name="state",
            field=models.CharField(
                choices=[("building", "Being built"), ("live", "Live"), ("retired", "Retired")],
                default="retired",  # until the next migration has been
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="generation",
            name="model",
            field=models.CharField(blank=True, default="", max_length=500),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="generation",
            name="space",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="generation",
            name="problem",
            field=models.CharField(blank=True, default="", max_length=500),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="generation", name="claimed_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="generation", name="verified_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="generation", name="live_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="generation", name="retired_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.CreateModel(
            name="IndexMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("recipe", models.CharField(max_length=64)),
                ("fingerprint", models.CharField(max_length=64)),
                ("edition_at", models.DateTimeField()),
                ("indexed_at", models.DateTimeField(null=True)),
                (
                    "article",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="index_marks",
                        to="knowledge.article",
                    ),
                ),
            ],
            options={"verbose_name": "index mark", "verbose_name_plural": "index marks"},
        ),
        migrations.AddConstraint(
            model_name="indexmark",
            constraint=models.UniqueConstraint(fields=["article", "recipe"], name="index_mark_unique"),
        ),
        migrations.AddIndex(
            model_name="indexmark",
            index=models.Index(
                fields=["article", "recipe", "fingerprint", "edition_at"], name="index_mark_outbox"
            ),
        ),
    ]
