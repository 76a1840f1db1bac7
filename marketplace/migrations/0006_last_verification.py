import django.db.models.deletion
from django.db import migrations, models


def point_at_the_newest(apps, schema_editor):
    Service = apps.get_model("marketplace", "Service")
    ended = apps.get_model("marketplace", "ProviderVerification").objects.filter(
        finished_at__isnull=False
    )
    newest = ended.filter(service=models.OuterRef("pk")).order_by("-asked_at", "-pk")
    Service.objects.update(last_verification=models.Subquery(newest.values("pk")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0005_provider_verifications'),
    ]

    operations = [
        migrations.AddField(
            model_name='service',
            name='last_verification',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='marketplace.providerverification'),
        ),
        migrations.RunPython(point_at_the_newest, migrations.RunPython.noop),
    ]
