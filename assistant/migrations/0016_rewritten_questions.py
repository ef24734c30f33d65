from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistant", "0015_learned_routing")]

    operations = [
        migrations.AddField(
            model_name="answerevidence",
            name="rewriting",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
