from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistant", "0013_what_if_of_several")]

    operations = [
        migrations.AddField(
            model_name="answerevidence",
            name="rewriting",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
