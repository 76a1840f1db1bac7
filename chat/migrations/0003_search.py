"""Conversations that can be pinned and deleted, and a full-text index over what was said."""

import django.db.models.deletion
from django.db import migrations, models

from chat import words

SQLITE = (
    """
    CREATE VIRTUAL TABLE chat_search USING fts5(
        words, content='chat_searchtext', content_rowid='id',
        tokenize='unicode61 remove_diacritics 0', prefix='2 3'
    )
    """,
    """
    CREATE TRIGGER chat_search_added AFTER INSERT ON chat_searchtext BEGIN
        INSERT INTO chat_search(rowid, words) VALUES (new.id, new.words);
    END
    """,
    """
    CREATE TRIGGER chat_search_removed AFTER DELETE ON chat_searchtext BEGIN
        INSERT INTO chat_search(chat_search, rowid, words) VALUES ('delete', old.id, old.words);
    END
    """,
)
POSTGRESQL = (
    """
    ALTER TABLE chat_searchtext
        ADD COLUMN vector tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED
    """,
    "CREATE INDEX chat_search ON chat_searchtext USING gin (vector)",
)
UNDONE = {
    "sqlite": (
        "DROP TRIGGER chat_search_added",
        "DROP TRIGGER chat_search_removed",
        "DROP TABLE chat_search",
    ),
    "postgresql": ("ALTER TABLE chat_searchtext DROP COLUMN vector",),
}


def make_index(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in POSTGRESQL if vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def drop_index(apps, schema_editor):
    for statement in UNDONE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def index(apps, schema_editor):
    """Make findable what was said before there was a search."""
    Conversation = apps.get_model("chat", "Conversation")
    Message = apps.get_model("chat", "Message")
    SearchText = apps.get_model("chat", "SearchText")
    rows = Message.objects.exclude(text="").select_related("conversation")
    for message in rows.iterator(chunk_size=200):
        scope = _scope(message.conversation)
        SearchText.objects.bulk_create(
            SearchText(conversation_id=message.conversation_id, message=message, start=start, words=f"{scope} {found}")
            for start, found in words.pieces(message.text)
        )
    for conversation in Conversation.objects.exclude(title="").iterator(chunk_size=200):
        SearchText.objects.create(
            conversation=conversation, words=f"{_scope(conversation)} {words.words(conversation.title)}"
        )


def _scope(conversation):
    return f"zgwallet{conversation.wallet_id}n{words.words(conversation.network).replace(' ', '')}"


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0002_branches'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='deleted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='conversation',
            name='pinned_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='SearchText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.PositiveIntegerField(default=0)),
                ('words', models.TextField()),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='search_texts', to='chat.conversation')),
                ('message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='search_texts', to='chat.message')),
            ],
        ),
        migrations.RunPython(make_index, drop_index),
        migrations.RunPython(index, migrations.RunPython.noop),
    ]
