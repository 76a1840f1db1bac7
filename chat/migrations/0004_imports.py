from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0003_search'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='imported_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='message',
            name='history_cut_to',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='receipt',
            name='imported_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='receipt',
            name='claim',
            field=models.TextField(blank=True, default=''),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(condition=models.Q(('claim', ''), _negated=True), fields=['id'], name='receipts_to_judge'),
        ),
    ]
