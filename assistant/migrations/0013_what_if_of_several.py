import django.db.models.deletion
from django.db import migrations, models


def move_texts(apps, schema_editor):
    """A replay had one text at most, in its own row."""
    Replay, ReplayedText = apps.get_model('assistant', 'Replay'), apps.get_model('assistant', 'ReplayedText')
    names = ('title', 'body', 'language', 'audience', 'translation_group')
    for replay in Replay.objects.filter(article__isnull=False):
        ReplayedText.objects.create(
            replay=replay, article_id=replay.article_id, **{name: getattr(replay, name) for name in names}
        )


def move_back(apps, schema_editor):
    """Of several only the first finds room."""
    ReplayedText = apps.get_model('assistant', 'ReplayedText')
    names = ('article_id', 'title', 'body', 'language', 'audience', 'translation_group')
    for text in ReplayedText.objects.order_by('replay_id', '-pk').select_related('replay'):
        for name in names:
            setattr(text.replay, name, getattr(text, name))
        text.replay.save()


class Migration(migrations.Migration):

    dependencies = [
        ('assistant', '0012_account_mails'),
        ('knowledge', '0013_merged_articles'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReplayedText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=500, verbose_name='title')),
                ('body', models.TextField(verbose_name='text')),
                ('language', models.CharField(choices=[('de', 'German'), ('en', 'English')], max_length=2, verbose_name='language')),
                ('audience', models.CharField(choices=[('public', 'Everyone'), ('signed_in', 'Signed-in customers'), ('internal', 'Staff only')], max_length=12, verbose_name='audience')),
                ('translation_group', models.CharField(blank=True, max_length=200)),
                ('article', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.article', verbose_name='article')),
                ('replay', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='texts', to='assistant.replay')),
            ],
            options={
                'ordering': ['replay_id', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('replay', 'article'), name='replayed_text_once_an_article')],
            },
        ),
        migrations.RunPython(move_texts, move_back),
        migrations.RemoveField(model_name='replay', name='article'),
        migrations.RemoveField(model_name='replay', name='title'),
        migrations.RemoveField(model_name='replay', name='body'),
        migrations.RemoveField(model_name='replay', name='language'),
        migrations.RemoveField(model_name='replay', name='audience'),
        migrations.RemoveField(model_name='replay', name='translation_group'),
        migrations.AlterField(
            model_name='replay',
            name='kind',
            field=models.CharField(choices=[('publish', 'Publishing'), ('archive', 'Archiving'), ('merge', 'Merging two articles')], max_length=8, verbose_name='change'),
        ),
    ]
