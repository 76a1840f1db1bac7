"""Conversations become trees of messages; those that exist become trees of one branch each."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def chain(apps, schema_editor):
    """Let each question follow the newest answer of the one before it."""
    Message = apps.get_model("chat", "Message")
    Message.objects.update(chosen_at=models.F("created_at"))
    newest = {}  # question: its newest answer
    answers = Message.objects.filter(role="assistant").order_by("created_at")
    for question, answer in answers.values_list("parent_id", "pk"):
        newest[question] = answer
    last = {}  # conversation: the answer that its next question follows
    questions = Message.objects.filter(role="user").order_by("created_at")
    for pk, conversation in questions.values_list("pk", "conversation_id").iterator():
        if conversation in last:
            Message.objects.filter(pk=pk).update(parent_id=last[conversation])
        if pk in newest:
            last[conversation] = newest[pk]


def unchain(apps, schema_editor):
    apps.get_model("chat", "Message").objects.filter(role="user").update(parent=None)


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0001_initial'),
    ]

    operations = [
        migrations.RenameField(model_name='message', old_name='question', new_name='parent'),
        migrations.AlterField(
            model_name='message',
            name='parent',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='following', to='chat.message'),
        ),
        migrations.AddField(
            model_name='message',
            name='chosen_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name='message',
            name='is_continuation',
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(chain, unchain),
    ]
