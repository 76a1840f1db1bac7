from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0005_transaction_batches"),
    ]

    operations = [
        migrations.AddField(
            model_name="usage",
            name="units",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
