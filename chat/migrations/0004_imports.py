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
    ]
