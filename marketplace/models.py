"""What we have mirrored of each network: its state, its rules and its services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from marketplace import destinations, prices, service_types, standing, trust
from marketplace.fields import AddressField, NeuronField
from marketplace.forks import ReadBlock as ReadBlock
from marketplace.history import ServiceChange as ServiceChange
from marketplace.measurements import AnswerSample as AnswerSample
from marketplace.measurements import HealthHour as HealthHour
from marketplace.measurements import HealthSample as HealthSample
from marketplace.measurements import Measured as Measured
from marketplace.model_rows import ModelRow as ModelRow
from marketplace.network import is_local
from marketplace.queries import PROBE_OVERDUE, ServiceQuerySet
from marketplace.reported import Reported as Reported
from marketplace.reported import StatusReadings
from marketplace.service_events import ServiceEvent as ServiceEvent
from marketplace.verifications import ProviderVerification as ProviderVerification
from zgcompute import types

OVERDUE = timedelta(seconds=90)
_CLOCK_DRIFT = timedelta(minutes=1)  # what clocks of honest nodes may differ from ours
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


class NetworkState(StatusReadings):
    """One network as our workers last saw it: block height, rules, and what went wrong since.

    A page is never older than it says: `seen_at` is when the chain last answered us,
    `services_at` when the list of services was last complete. The events of all blocks from
    `history_block` to `events_block` are read; `history_start` is the first worth reading.
    """

    network = models.SlugField(primary_key=True, max_length=31)
    block_number = models.PositiveBigIntegerField(null=True)
    block_time = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    services_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    problem_since = models.DateTimeField(null=True)
    services_problem = models.TextField(blank=True)

    rules_at = models.DateTimeField(null=True)
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
    history_block = models.PositiveBigIntegerField(null=True)
    history_start = models.PositiveBigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.network} at block {self.block_number}"

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
    def are_services_overdue(self) -> bool:
        """The list of services is older than it should be, whatever the reason."""
        return self.services_at is not None and timezone.now() - self.services_at > OVERDUE

    @property
    def ahead(self) -> timedelta:
        """How far the chain's clock is before ours: nothing, but where a devnet's was moved on."""
        if self.block_time is None or self.seen_at is None:
            return timedelta()
        ahead = self.block_time - self.seen_at
        return ahead if ahead > _CLOCK_DRIFT else timedelta()

    @property
    def is_reachable(self) -> bool:
        return self.seen_at is not None and not self.problem

    @property
    def is_history_complete(self) -> bool:
        """Whether the events of all blocks from the contracts' first on have been read."""
        if self.history_block is None or self.history_start is None:
            return False
        return self.history_block <= self.history_start

    @property
    def unread_past(self) -> int | None:
        """Blocks of the past whose events are still to be read; None while nobody knows."""
        if self.history_block is None or self.history_start is None:
            return None
        return max(0, self.history_block - self.history_start)

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
        self.block_time = _moment(block.timestamp)
        self.seen_at = when
        self.problem, self.problem_since = "", None
        self.save(update_fields=_BLOCK_FIELDS)

    def record_rules(
        self, contracts: types.Contracts, constants: types.Constants, when: datetime
    ) -> None:
        self.rules_at = when
        self.ledger, self.inference = contracts.ledger, contracts.inference
        self.service_name = contracts.service_name
        self.min_account_balance = constants.min_account_balance
        self.min_transfer_amount = constants.min_transfer_amount
        self.max_providers_per_batch = constants.max_providers_per_batch
        self.max_providers_per_user = constants.max_providers_per_user
        self.lock_time = constants.lock_time
        self.save(update_fields=_RULES_FIELDS)

    def record_services(self, when: datetime) -> None:
        """The list of services was read to its end at `when`."""
        self.services_at, self.services_problem = when, ""
        self.save(update_fields=["services_at", "services_problem"])

    def record_services_problem(self, problem: str) -> None:
        """The list of services could not be read; the one we have stays as it is."""
        self.services_problem = problem[:500]
        self.save(update_fields=["services_problem"])

    def record_problem(self, problem: str) -> None:
        """Remember why the chain cannot be read, and since when."""
        self.problem = problem[:500]
        self.problem_since = self.problem_since or timezone.now()
        self.save(update_fields=["problem", "problem_since"])


_BLOCK_FIELDS = ["block_number", "block_time", "seen_at", "problem", "problem_since"]
_RULES_FIELDS = [
    "rules_at",
    "ledger",
    "inference",
    "service_name",
    "min_account_balance",
    "min_transfer_amount",
    "max_providers_per_batch",
    "max_providers_per_user",
    "lock_time",
]


class Service(models.Model):
    """One provider's service, mirrored from the chain; removed ones are kept and marked.

    `reachable` and what follows it is what our own probes met at its URL (marketplace.health).
    """

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

    reachable = models.BooleanField(null=True)
    probed_at = models.DateTimeField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    down_since = models.DateTimeField(null=True)
    probe_problem = models.CharField(max_length=300, blank=True)

    last_verification = models.ForeignKey(
        ProviderVerification, models.SET_NULL, null=True, related_name="+"
    )  # the newest that ended, however it did

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "provider"], name="one_service_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.provider} on {self.network}"

    def get_absolute_url(self) -> str:
        return reverse("marketplace:provider", args=(self.network, self.provider))

    @property
    def use(self) -> service_types.Use | None:
        """What it can be used for on this site."""
        return service_types.USES.get(self.service_type)

    @property
    def is_chat(self) -> bool:
        return self.service_type == service_types.CHATBOT

    @property
    def type_key(self) -> str:
        return service_types.key(self.service_type)

    @property
    def type_label(self) -> str:
        return service_types.label(self.service_type)

    @property
    def is_open(self) -> bool:
        """Whether providers' rules let it be used: registered, and its signer acknowledged."""
        return self.removed_at is None and self.tee_signer_acknowledged

    @property
    def updated(self) -> datetime:
        """When the provider last changed its service on chain."""
        return _moment(self.updated_at)

    @cached_property
    def as_listed(self) -> types.Service:
        """`snapshot()`, made once for a page that asks several questions of it."""
        return self.snapshot()

    @cached_property
    def url_problem(self) -> str:
        """Why the URL may not be called or linked to, or "" where it may."""
        return destinations.url_problem(self.url, local=is_local(self.network))

    @property
    def is_probe_old(self) -> bool:
        """Our last probe says nothing about the present any more."""
        return self.probed_at is not None and timezone.now() - self.probed_at > PROBE_OVERDUE

    @cached_property
    def price_list(self) -> prices.PriceList:
        return prices.price_list(self.as_listed)

    @cached_property
    def trust(self) -> trust.Trust:
        return trust.assess(self.as_listed)

    @cached_property
    def standing(self) -> standing.Standing:
        return standing.assess(self)

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


class Lease(models.Model):
    """A worker's right to do a job alone, until it is done or `expires_at` has passed."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=32)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.expires_at:%H:%M:%S}"


def _moment(seconds: int) -> datetime:
    """Unix seconds as a time; a provider may write any number, so it is kept within bounds."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), tz=UTC)
