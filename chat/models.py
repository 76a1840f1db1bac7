"""Conversations with a service: what was asked, what was answered, what it cost, what proves it."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Usage, Wallet
from accounts.proven import Proven
from chat.pictures import Picture as Picture
from chat.queries import ConversationQuerySet, MessageQuerySet
from marketplace.fields import AddressField
from zgcompute.verification import Outcome


class Comparison(models.Model):
    """One prompt to several providers at once: each is asked in a conversation of its own.

    `asked_text` is the last prompt, of the form `asked_key`: who was not ready then can be asked it
    later. `picked` is the place of the conversation that was gone on with: it ends the comparison.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="comparisons")
    network = models.SlugField(max_length=31)
    key = models.UUIDField()  # of the first form and its providers: sending twice starts one
    asked_key = models.UUIDField(null=True)
    asked_text = models.TextField(blank=True)
    picked = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "key"], name="one_comparison_per_key")
        ]

    def __str__(self) -> str:
        return f"comparison {self.pk}"


class Conversation(models.Model):
    """A wallet's conversation with one provider, and how its `model` is asked from now on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="conversations")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    model = models.CharField(max_length=300)
    title = models.CharField(max_length=120, blank=True)
    comparison = models.ForeignKey(
        Comparison, models.SET_NULL, null=True, related_name="conversations"
    )
    place = models.PositiveSmallIntegerField(default=0)  # of its column in the comparison
    start_key = models.UUIDField(null=True)  # the first form's key: sending twice starts one
    system_prompt = models.TextField(blank=True)
    parameters = models.JSONField(default=dict, blank=True)  # sent with every request as they are
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    imported_at = models.DateTimeField(null=True)  # from a file: what it says is the file's word
    pinned_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)  # by the person, who may take it back for a while

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at",)
        indexes = [models.Index(fields=["wallet", "network", "-updated_at"])]
        constraints = [
            models.UniqueConstraint(fields=["wallet", "start_key"], name="one_start_per_key")
        ]

    def __str__(self) -> str:
        return self.title or "Untitled"


class Message(models.Model):
    """One side of a turn; an answer always ends in a stated state, never in `streaming`.

    A question's `parent` is the answer that it follows, an answer's the question that it answers.
    Of several with the same parent the one chosen last is visible (see `branches`). `stream_id`
    is the last event of its stream that `text` contains.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    class State(models.TextChoices):
        PENDING = "pending"
        STREAMING = "streaming"
        COMPLETE = "complete"
        STOPPED = "stopped"  # by the person; the provider bills the whole answer all the same
        INTERRUPTED = "interrupted"  # the connection or this server broke off; the part is kept
        FAILED = "failed"

    BROKEN = (State.FAILED, State.INTERRUPTED)
    RUNNING = (State.PENDING, State.STREAMING)
    READABLE = (State.COMPLETE, State.STOPPED, State.INTERRUPTED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    turn_key = models.UUIDField(null=True)  # of the form, or the answer asked for again: sent once
    role = models.CharField(max_length=10, choices=Role.choices)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="following")
    chosen_at = models.DateTimeField(default=timezone.now)
    is_continuation = models.BooleanField(default=False)  # a question that we asked: go on
    model = models.CharField(max_length=300, blank=True)  # an answer's; "": the conversation's
    state = models.CharField(max_length=12, choices=State.choices, default=State.COMPLETE)
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    history_cut = models.PositiveIntegerField(default=0)  # older messages that were not sent
    history_cut_to = models.PositiveBigIntegerField(null=True)  # the model's context in tokens
    pictures_cut = models.PositiveSmallIntegerField(default=0)  # the model takes none
    stream_id = models.PositiveBigIntegerField(default=0)
    problem = models.TextField(blank=True)
    advice = models.TextField(blank=True)
    problem_kind = models.CharField(max_length=40, blank=True)  # the SDK's error class
    retry_after = models.PositiveIntegerField(null=True)  # seconds, where the provider said
    created_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)  # the running stream's sign of life
    ended_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)  # cost and proof are settled too: nothing follows

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("created_at",)
        indexes = [
            models.Index(fields=["conversation", "created_at"]),
            models.Index(fields=["role", "closed_at", "touched_at"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "turn_key", "role"], name="one_message_per_turn_and_role"
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(role="assistant", state__in=("pending", "streaming")),
                name="one_running_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.state} {self.pk}"

    @property
    def asked_model(self) -> str:
        """The model that an answer was asked of."""
        return self.model or self.conversation.model

    @property
    def is_running(self) -> bool:
        return self.state in self.RUNNING

    @property
    def is_partial(self) -> bool:
        """Tell whether an answer ended before its end, so that the model can be asked to go on."""
        return bool(self.text) and self.state in (self.State.STOPPED, self.State.INTERRUPTED)

    @property
    def is_open(self) -> bool:
        """Tell whether a page should follow the stream: text, cost or proof are still to come."""
        return self.role == self.Role.ASSISTANT and self.closed_at is None


class Receipt(Proven):
    """What an answer cost and what proves it.

    `fee` is None where the answer broke off before the provider stated its usage: it bills the
    answer all the same.
    """

    message = models.OneToOneField(Message, models.CASCADE, related_name="receipt")
    usage = models.OneToOneField(Usage, models.SET_NULL, null=True, related_name="receipt")
    input_tokens = models.PositiveBigIntegerField(null=True)
    output_tokens = models.PositiveBigIntegerField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    answered_at = models.DateTimeField(default=timezone.now)
    imported_at = models.DateTimeField(null=True)  # `outcome` is then of the file's evidence alone
    claim = models.TextField(blank=True)  # the file's evidence as JSON, until it is judged

    class Meta:
        indexes = [
            models.Index(fields=["next_check_at"]),
            models.Index(fields=["id"], condition=~models.Q(claim=""), name="receipts_to_judge"),
        ]

    def __str__(self) -> str:
        return f"receipt of {self.message_id}"

    @property
    def badge(self) -> str:
        """The outcome in words; an imported answer's is of the file's evidence, not of its text."""
        if self.imported_at is None:
            return str(self.outcome).capitalize()
        of_evidence = self.outcome in (Outcome.VERIFIED, Outcome.FAILED)
        return f"Imported, {'evidence ' if of_evidence else ''}{self.outcome}"

    @property
    def tokens(self) -> int | None:
        """Tokens in and out together, where the provider counted them."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens

    @property
    def tokens_per_second(self) -> int | None:
        """Output tokens by the time from the first to the last, as a whole number."""
        if not self.output_tokens or self.first_token_ms is None or self.duration_ms is None:
            return None
        return self.output_tokens * 1000 // max(1, self.duration_ms - self.first_token_ms)


class SearchText(models.Model):
    """The words of a piece of a message, or of a title, as `search` compares them.

    The database's full-text index follows inserts and deletes: a row is never changed. On SQLite
    that is done by triggers, which a migration that alters this table has to make again.
    """

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="search_texts")
    message = models.ForeignKey(Message, models.CASCADE, null=True, related_name="search_texts")
    start = models.PositiveIntegerField(default=0)  # where the piece begins in the message
    words = models.TextField()

    def __str__(self) -> str:
        return f"words of {self.message_id or self.conversation_id}"
