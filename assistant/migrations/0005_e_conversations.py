from django.db import migrations, models

from assistant.phrases import first_phrases


def seed(apps, schema_editor):
    phrase = apps.get_model('assistant', 'EscalationPhrase')
    phrase.objects.bulk_create(
        phrase(
            matter=one.matter,
            language=one.language,
            text=one.text,
            only_alone=one.only_alone,
            is_exception=one.is_exception,
        )
        for one in first_phrases()
    )


class Migration(migrations.Migration):

    dependencies = [
        ('assistant', '0004_d_measured'),
    ]

    operations = [
        migrations.AddField(
            model_name='historicalticket',
            name='matter',
            field=models.CharField(blank=True, choices=[('person', 'Wish for a person'), ('complaint', 'Complaint'), ('payment_dispute', 'Payment dispute'), ('data_protection', 'Data-protection request'), ('legal', 'Legal threat'), ('danger', 'Injury or danger'), ('self_harm', 'Self-harm')], max_length=20, verbose_name='matter'),
        ),
        migrations.AddField(
            model_name='question',
            name='stage',
            field=models.CharField(blank=True, choices=[('searching', 'Searching the articles'), ('checking', 'Checking how sure the answer is'), ('writing', 'Putting the answer together')], max_length=10),
        ),
        migrations.AddField(
            model_name='question',
            name='stage_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='ticket',
            name='matter',
            field=models.CharField(blank=True, choices=[('person', 'Wish for a person'), ('complaint', 'Complaint'), ('payment_dispute', 'Payment dispute'), ('data_protection', 'Data-protection request'), ('legal', 'Legal threat'), ('danger', 'Injury or danger'), ('self_harm', 'Self-harm')], max_length=20, verbose_name='matter'),
        ),
        migrations.CreateModel(
            name='EscalationPhrase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('matter', models.CharField(choices=[('person', 'Wish for a person'), ('complaint', 'Complaint'), ('payment_dispute', 'Payment dispute'), ('data_protection', 'Data-protection request'), ('legal', 'Legal threat'), ('danger', 'Injury or danger'), ('self_harm', 'Self-harm')], max_length=20, verbose_name='matter')),
                ('language', models.CharField(choices=[('de', 'German'), ('en', 'English')], max_length=2, verbose_name='language')),
                ('text', models.CharField(help_text='Words in their order. Each stands for all of its forms (“sprechen” also for “spreche”), a/b for either word, * for up to four words in between: “mit * mensch/mitarbeiter sprechen”.', max_length=400, verbose_name='phrase')),
                ('only_alone', models.BooleanField(default=False, help_text='Counts only where the question says nothing else, such as “Mitarbeiter bitte”.', verbose_name='only alone')),
                ('is_exception', models.BooleanField(default=False, help_text="Where these words stand in a question, the matter's other phrases do not count.", verbose_name='exception')),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
            ],
            options={
                'verbose_name': 'escalation phrase',
                'verbose_name_plural': 'escalation phrases',
                'ordering': ['matter', 'language', 'text'],
                'constraints': [models.UniqueConstraint(fields=('matter', 'language', 'text'), name='escalation_phrase_once', violation_error_message='This phrase is already on the list.'), models.CheckConstraint(condition=models.Q(('matter__in', ['person', 'complaint', 'payment_dispute', 'data_protection', 'legal', 'danger', 'self_harm'])), name='escalation_matter_is_known')],
            },
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
