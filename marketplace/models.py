"""What we have mirrored of each network: its state, its rules and its services."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from marketplace.fields import AddressField, NeuronField
from marketplace.queries import ServiceQuerySet
from zgcompute import types

if TYPE_CHECKING:
    from datetime import datetime

OVERDUE = timedelta(seconds=90)


class NetworkState(models.Model):
    """One network as our workers last saw it: block height, rules, and what went wrong since.

    A page is never older than it says: `seen_at` is when the chain last answered us,
    `services_at` when the list of services was last complete.
    """

    network = models.SlugField(primary_key=True, max_length=31)
    block_number = models.PositiveBigIntegerField(null=True)
    block_time = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    services_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    problem_since = models.DateTimeField(null=True)

    ledger = AddressField(blank=True)
    inference = AddressField(blank=True)
    service_name = models.CharField(max_length=100, blank=True)
    min_account_balance = NeuronField(null=True)
    min_transfer_amount = NeuronField(null=True)
    max_providers_per_batch = models.PositiveIntegerField(default=20)
    max_providers_per_user = models.PositiveIntegerField(default=50)
    lock_time = models.PositiveIntegerField(null=True)

    events_block = models.PositiveBigIntegerField(null=True)
    events_hash = models.CharField(max_length=66, blank=True)

    @classmethod
    def of(cls, network: str) -> NetworkState:
        return cls.objects.get_or_create(network=network)[0]

    @classmethod
    def look(cls, network: str) -> NetworkState:
        """For pages: the state as it is, unsaved where no worker has written one yet."""
        return cls.objects.filter(network=network).first() or cls(network=network)

    @property
    def is_overdue(self) -> bool:
        """Nothing has been read for a while, though nothing failed: the workers are not running."""
        return self.seen_at is not None and timezone.now() - self.seen_at > OVERDUE

    @property
    def is_reachable(self) -> bool:
        return self.seen_at is not None and not self.problem

    @property
    def contracts(self) -> types.Contracts | None:
        """The contracts as last read, or None before the first successful look."""
        if not self.service_name:
            return None
        return types.Contracts(
            ledger=types.Address(self.ledger),
            inference=types.Address(self.inference),
            service_name=self.service_name,
        )

    def record_block(self, block: types.Block, when: datetime) -> None:
        self.block_number = block.number
        self.block_time = timezone.datetime.fromtimestamp(block.timestamp, tz=when.tzinfo)
        self.seen_at = when
        self.problem, self.problem_since = "", None
        self.save(
            update_fields=["block_number", "block_time", "seen_at", "problem", "problem_since"]
        )

    def record_rules(self, contracts: types.Contracts, constants: types.Constants) -> None:
        self.ledger, self.inference = contracts.ledger, contracts.inference
        self.service_name = contracts.service_name
        self.min_account_balance = constants.min_account_balance
        self.min_transfer_amount = constants.min_transfer_amount
        self.max_providers_per_batch = constants.max_providers_per_batch
        self.max_providers_per_user = constants.max_providers_per_user
        self.lock_time = constants.lock_time
        self.save(
            update_fields=[
                "ledger",
                "inference",
                "service_name",
                "min_account_balance",
                "min_transfer_amount",
                "max_providers_per_batch",
                "max_providers_per_user",
                "lock_time",
            ]
        )

    def record_problem(self, problem: str) -> None:
        """Remember why the chain cannot be read, and since when."""
        self.problem = problem[:500]
        self.problem_since = self.problem_since or timezone.now()
        self.save(update_fields=["problem", "problem_since"])


class Service(models.Model):
    """One provider's service, mirrored from the chain; removed ones are kept and marked."""

    network = models.SlugField(max_length=31)
    provider = AddressField()
    service_type = models.CharField(max_length=100)
    url = models.TextField()
    model = models.CharField(max_length=300)
    verifiability = models.CharField(max_length=100, blank=True)
    input_price = NeuronField()
    output_price = NeuronField()
    additional_info = models.TextField(blank=True)
    tee_signer = AddressField()
    tee_signer_acknowledged = models.BooleanField()
    updated_at = models.PositiveBigIntegerField()  # Unix seconds, as the contract has it
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "provider"], name="one_service_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.provider} on {self.network}"

    def snapshot(self) -> types.Service:
        """This row as the SDK's value."""
        return types.Service(
            provider=types.Address(self.provider),
            service_type=self.service_type,
            url=self.url,
            input_price=self.input_price,
            output_price=self.output_price,
            updated_at=self.updated_at,
            model=self.model,
            verifiability=self.verifiability,
            additional_info=self.additional_info,
            tee_signer=types.Address(self.tee_signer),
            tee_signer_acknowledged=self.tee_signer_acknowledged,
        )
