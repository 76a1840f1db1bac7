"""Questions have pictures, answers the model that was asked: the conversation's, up to now."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


def name_models(apps, schema_editor):
    Message, Conversation = (apps.get_model("chat", name) for name in ("Message", "Conversation"))
    own = Conversation.objects.filter(pk=models.OuterRef("conversation_id")).values("model")
    Message.objects.filter(role="assistant").update(model=models.Subquery(own[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0005_comparisons'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='model',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='message',
            name='pictures_cut',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.CreateModel(
            name='Picture',
            fields=[
                ('name', models.CharField(max_length=120)),
                ('sha256', models.CharField(max_length=64)),
                ('media_type', models.CharField(max_length=40)),
                ('ending', models.CharField(max_length=8)),
                ('size', models.PositiveBigIntegerField()),
                ('width', models.PositiveIntegerField(null=True)),
                ('height', models.PositiveIntegerField(null=True)),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('index', models.PositiveSmallIntegerField(default=0)),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pictures', to='chat.message')),
            ],
            options={
                'ordering': ('index',),
                'constraints': [models.UniqueConstraint(fields=('message', 'index'), name='one_picture_per_place')],
            },
        ),
        migrations.RunPython(name_models, migrations.RunPython.noop),
    ]
