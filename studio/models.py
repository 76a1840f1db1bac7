"""Works: a picture made or edited, or a recording written down, with its files, cost and proof."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import Usage, Wallet
from accounts.pictures import FORMATS, MAX_PIXELS, MAX_SIDE
from accounts.proven import Proven
from accounts.stored import StoredFile
from marketplace.fields import AddressField


class WorkQuerySet(models.QuerySet["Work"]):
    """Works of wallets."""

    def of(self, wallet: Wallet, network: str) -> WorkQuerySet:
        return self.filter(wallet=wallet, network=network)

    def running(self) -> WorkQuerySet:
        return self.filter(state__in=Work.RUNNING)


class Work(Proven):
    """One order to a provider; it always ends in a stated state, never in `running`.

    `key` is the form's: sending it twice is one work, and one request to the provider.
    """

    class Kind(models.TextChoices):
        IMAGE = "image"
        EDIT = "edit"
        SPEECH = "speech"

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETE = "complete"
        FAILED = "failed"
        INTERRUPTED = "interrupted"  # this site stopped while the provider worked

    RUNNING = (State.PENDING, State.RUNNING)
    BROKEN = (State.FAILED, State.INTERRUPTED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="works")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    model = models.CharField(max_length=300)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    key = models.UUIDField()
    prompt = models.TextField(blank=True)
    settings = models.JSONField(default=dict)  # n, size; response_format, language
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    problem = models.TextField(blank=True)
    advice = models.TextField(blank=True)
    problem_kind = models.CharField(max_length=40, blank=True)  # the SDK's error class
    retry_after = models.PositiveIntegerField(null=True)  # seconds, where the provider said
    may_be_billed = models.BooleanField(default=False)  # nobody here knows whether, or how much
    job_id = models.CharField(max_length=100, blank=True)  # of the provider, which works on alone
    usage = models.OneToOneField(Usage, models.SET_NULL, null=True, related_name="work")
    text = models.TextField(blank=True)  # of a recording: the words, or the subtitles
    content = models.TextField(blank=True)  # the transcript as it came
    language = models.CharField(max_length=40, blank=True)
    holds_pictures = models.BooleanField(default=False)  # whether the reply's body held them all
    created_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)  # the worker's sign of life
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = WorkQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes: ClassVar = [
            models.Index(fields=["wallet", "network", "-created_at"]),
            models.Index(fields=["state", "touched_at"]),
            models.Index(fields=["next_check_at"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["wallet", "key"], name="one_work_per_key")
        ]

    def __str__(self) -> str:
        words = " ".join(self.prompt.split()) or "Recording"
        return words if len(words) <= 60 else f"{words[:59]}…"

    def get_absolute_url(self) -> str:
        return reverse("studio:work", args=(self.network, self.pk))

    @property
    def is_running(self) -> bool:
        return self.state in self.RUNNING

    @property
    def is_open(self) -> bool:
        """Tell whether a page should look again: result or proof are still to come."""
        return self.is_running or self.is_checking

    @property
    def seconds(self) -> int:
        """How long the provider has worked on it, so far or in all."""
        if self.started_at is None:
            return 0
        return int(((self.ended_at or timezone.now()) - self.started_at).total_seconds())

    @property
    def wanted(self) -> int:
        """How many pictures were ordered."""
        return int(self.settings.get("n", 1))

    @property
    def places(self) -> range:
        """One for each picture that is ordered."""
        return range(self.wanted)

    @property
    def source(self) -> File | None:
        """What was sent: the picture to edit, or the recording."""
        return next((file for file in self.files.all() if file.role == File.Role.SOURCE), None)

    @property
    def results(self) -> list[File]:
        """What came, in its order."""
        return [file for file in self.files.all() if file.role == File.Role.RESULT]


class File(StoredFile):
    """One file of a work."""

    FACTS = (*StoredFile.FACTS, "seconds")

    class Role(models.TextChoices):
        SOURCE = "source"
        RESULT = "result"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    work = models.ForeignKey(Work, models.CASCADE, related_name="files")
    role = models.CharField(max_length=6, choices=Role.choices)
    index = models.PositiveSmallIntegerField(default=0)
    seconds = models.PositiveIntegerField(null=True)  # of a recording, as its file says
    note = models.TextField(blank=True)  # the provider's revised prompt

    class Meta:
        ordering = ("role", "index")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["work", "role", "index"], name="one_file_per_place")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.index} of {self.work_id}"

    def get_absolute_url(self) -> str:
        return reverse("studio:file", args=(self.work.network, self.pk))

    @property
    def other_formats(self) -> list[str]:
        """The endings of the formats that a picture can be converted to here."""
        width, height = self.width or 0, self.height or 0
        if not self.is_shown or width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            return []
        return [ending for ending, kind in FORMATS.items() if kind != self.media_type]

    @property
    def download_name(self) -> str:
        """A name that says nothing of anybody's computer."""
        work = f"{self.work.kind}-{str(self.work_id)[:8]}"
        return f"{work}-{self.role}-{self.index + 1}.{self.ending}"
