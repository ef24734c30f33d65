from django.db import migrations


class Migration(migrations.Migration):
    """Apart from 0002: PostgreSQL alters no table while rows of the same transaction wait to be checked."""

    dependencies = [
        ('assistant', '0002_mail_outbox'),
    ]

    operations = [
        migrations.RemoveField(model_name='ticket', name='confirmation_sent_at'),
        migrations.RemoveField(model_name='ticketmessage', name='mailed_at'),
        migrations.RemoveField(model_name='historicalticket', name='confirmation_sent_at'),
        migrations.RemoveField(model_name='historicalticket', name='idempotency_key'),
        migrations.RemoveField(model_name='historicalticket', name='request_hash'),
    ]
