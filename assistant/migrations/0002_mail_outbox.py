import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def give_each_mail_a_row(apps, schema_editor):
    """What was sent stays sent; what was owed and never left is due."""
    Mail = apps.get_model('assistant', 'Mail')
    now = django.utils.timezone.now()
    tickets = apps.get_model('assistant', 'Ticket').objects.exclude(contact_email='')
    messages = apps.get_model('assistant', 'TicketMessage').objects.filter(author_kind='staff', is_internal=False)
    owed = [
        *((ticket_id, None, sent_at) for ticket_id, sent_at in tickets.values_list('pk', 'confirmation_sent_at')),
        *messages.exclude(ticket__contact_email='').values_list('ticket_id', 'pk', 'mailed_at'),
    ]
    Mail.objects.bulk_create(
        (
            Mail(ticket_id=ticket_id, message_id=message_id, sent_at=sent_at, due_at=None if sent_at else now)
            for ticket_id, message_id, sent_at in owed
        ),
        batch_size=500,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('assistant', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Mail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(blank=True, max_length=500)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('message', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='mail', to='assistant.ticketmessage')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='assistant.ticket')),
            ],
            options={
                'verbose_name': 'outgoing e-mail',
                'verbose_name_plural': 'outgoing e-mails',
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='mail_due')],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('message__isnull', True)), fields=('ticket',), name='mail_confirms_a_ticket_once'),
                    models.CheckConstraint(condition=models.Q(('sent_at__isnull', True), ('due_at__isnull', True), _connector='OR'), name='mail_sent_is_not_due'),
                ],
            },
        ),
        migrations.AddField(
            model_name='question',
            name='contact_email',
            field=models.EmailField(blank=True, max_length=254, verbose_name='e-mail'),
        ),
        migrations.AddField(
            model_name='question',
            name='contact_name',
            field=models.CharField(blank=True, max_length=120, verbose_name='name'),
        ),
        migrations.AddField(
            model_name='ticketmessage',
            name='idempotency_key',
            field=models.CharField(blank=True, editable=False, max_length=200, null=True, unique=True),
        ),
        migrations.AddIndex(
            model_name='question',
            index=models.Index(condition=models.Q(('status', 'received')), fields=['created_at'], name='question_undecided'),
        ),
        migrations.RunPython(give_each_mail_a_row, migrations.RunPython.noop),
    ]
