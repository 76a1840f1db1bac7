"""Conversations with a service: what was asked, what was answered, what it cost, what proves it."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Usage, Wallet
from marketplace.fields import AddressField, NeuronField


class Conversation(models.Model):
    """A wallet's conversation with one provider's model."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="conversations")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    model = models.CharField(max_length=300)
    title = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-updated_at",)


class Message(models.Model):
    """One side of a turn; an answer always ends in a stated state, never in `streaming`."""

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

    RUNNING = (State.PENDING, State.STREAMING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    turn_key = models.UUIDField(null=True)  # the form's key: sending twice is one turn
    role = models.CharField(max_length=10, choices=Role.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.COMPLETE)
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    problem = models.TextField(blank=True)
    advice = models.TextField(blank=True)
    problem_kind = models.CharField(max_length=40, blank=True)  # the SDK's error class
    created_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)  # the running stream's sign of life
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "turn_key", "role"], name="one_message_per_turn_and_role"
            )
        ]


class Receipt(models.Model):
    """What an answer cost and what proves it."""

    message = models.OneToOneField(Message, models.CASCADE, related_name="receipt")
    usage = models.OneToOneField(Usage, models.SET_NULL, null=True, related_name="receipt")
    fee = NeuronField()
    fee_lines = models.JSONField(default=list)  # label, quantity, unit, price, amount as text
    response_id = models.CharField(max_length=200, blank=True)
    request_sha256 = models.CharField(max_length=64, blank=True)
    response_sha256 = models.CharField(max_length=64, blank=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=20, default="not checked")  # zgcompute Outcome
    reason = models.TextField(blank=True)
    evidence = models.JSONField(null=True)
    checked_at = models.DateTimeField(null=True)
    can_retry = models.BooleanField(default=False)
