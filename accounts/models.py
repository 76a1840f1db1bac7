"""Who is signed in, and what the chain says they hold: mirrors of ledger rows plus our records."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from accounts.movements import AccountEvent as AccountEvent
from accounts.movements import Movement as Movement
from marketplace.fields import AddressField, NeuronField

_PATIENCE = timedelta(seconds=20)


class WalletManager(BaseUserManager["Wallet"]):
    def signed_in(self, address: str) -> Wallet:
        """The wallet with that address, made on its first sign-in."""
        return self.get_or_create(address=address)[0]


class Wallet(AbstractBaseUser):
    """A person is an address: it proves itself by a signature, never by a password."""

    password = None  # type: ignore[assignment]
    address = AddressField(unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "address"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[WalletManager] = WalletManager()

    def __str__(self) -> str:
        return str(self.address)


class Nonce(models.Model):
    """A sign-in nonce that has been issued and not yet used; using it deletes it."""

    value = models.CharField(max_length=64, primary_key=True)
    issued_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.value


class Ledger(models.Model):
    """A wallet's balance and main account on one network, as last read."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="ledgers")
    network = models.SlugField(max_length=31)
    wallet_balance = NeuronField(default=0)
    exists = models.BooleanField(default=False)
    available = NeuronField(default=0)
    total = NeuronField(default=0)
    block_number = models.PositiveBigIntegerField(null=True)
    refreshed_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)  # when somebody last asked for a fresh look
    problem = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "network"], name="one_ledger_per_network")
        ]

    def __str__(self) -> str:
        return f"ledger on {self.network}, {self.available} of {self.total} neuron available"

    @property
    def is_awaited(self) -> bool:
        """Whether somebody asked a moment ago and the answer is not here yet."""
        if self.asked_at is None or timezone.now() - self.asked_at > _PATIENCE:
            return False
        return self.refreshed_at is None or self.refreshed_at < self.asked_at

    @property
    def locked(self) -> int:
        return max(0, int(self.total) - int(self.available))


class SubAccount(models.Model):
    """What a wallet has locked with one provider, and what that provider says is unsettled."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="sub_accounts")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    balance = NeuronField()
    pending_refund = NeuronField(default=0)
    nonce = NeuronField(default=0)
    acknowledged = models.BooleanField(default=False)
    generation = models.PositiveBigIntegerField(default=0)
    revoked_bitmap = NeuronField(default=0)
    refreshed_at = models.DateTimeField()
    unsettled = NeuronField(null=True)
    unsettled_at = models.DateTimeField(null=True)
    unsettled_problem = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "network", "provider"], name="one_sub_account_per_provider"
            )
        ]

    def __str__(self) -> str:
        return f"{self.balance} neuron with {self.provider} on {self.network}"

    @property
    def free(self) -> int:
        """Neuron the provider can count on, before unsettled fees."""
        return max(0, int(self.balance) - int(self.pending_refund))


class Refund(models.Model):
    """Neuron on their way back from a sub-account, payable after the lock time."""

    sub_account = models.ForeignKey(SubAccount, models.CASCADE, related_name="refunds")
    index = models.PositiveIntegerField()
    amount = NeuronField()
    created_at = models.DateTimeField()
    payable_at = models.DateTimeField()

    class Meta:
        ordering = ("created_at", "index")

    def __str__(self) -> str:
        return f"{self.amount} neuron payable at {self.payable_at:%Y-%m-%d %H:%M}"

    @property
    def is_payable(self) -> bool:
        """Whether its lock time has passed: the next retrieval brings it home."""
        return self.payable_at <= timezone.now()


class Transaction(models.Model):
    """One contract call of a wallet, from prepared to its final, stated end."""

    class State(models.TextChoices):
        PREPARED = "prepared"  # waits for the wallet
        REJECTED = "rejected"  # declined in the wallet; nothing was sent
        SUBMITTED = "submitted"  # the page reported a hash that the chain has not shown yet
        SENT = "sent"  # seen by the chain with the prepared sender, target, value and calldata
        REQUEUED = "requeued"  # was mined, but the chain replaced its block; it waits again
        MINED = "mined"
        CONFIRMED = "confirmed"
        REVERTED = "reverted"
        REPLACED = "replaced"  # another transaction with the same nonce was mined
        DROPPED = "dropped"  # the chain no longer knows it
        MISMATCHED = "mismatched"  # the reported hash is of another transaction
        EXPIRED = "expired"  # never answered in the wallet

    UNMINED = (State.SUBMITTED, State.SENT, State.REQUEUED)  # left the wallet, not yet mined
    OPEN = (State.PREPARED, *UNMINED, State.MINED)
    DOUBTFUL = (State.REPLACED, State.DROPPED, State.REVERTED)  # the chain may still decide anew

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="transactions")
    network = models.SlugField(max_length=31)
    function = models.CharField(max_length=40)  # the contract's function, such as transferFund
    provider = AddressField(blank=True)
    amount = NeuronField(default=0)
    to = AddressField()
    data = models.TextField()
    value = NeuronField(default=0)
    note = models.TextField(blank=True)  # what was special about it when it was prepared
    fee_estimate = NeuronField(null=True)  # before sending; `network_fee` is what was paid
    state = models.CharField(max_length=12, choices=State.choices, default=State.PREPARED)
    batch = models.UUIDField(null=True)  # the calls that the wallet carries out as one
    batch_id = models.TextField(blank=True)  # the wallet's own name for it (EIP-5792)
    hash = models.CharField(max_length=66, blank=True)
    nonce = models.PositiveBigIntegerField(null=True)
    block_number = models.PositiveBigIntegerField(null=True)
    confirmations = models.PositiveIntegerField(default=0)
    block_hash = models.CharField(max_length=66, blank=True)
    network_fee = NeuronField(null=True)
    reason = models.TextField(blank=True)
    advice = models.TextField(blank=True)
    prepared_at = models.DateTimeField(default=timezone.now)
    prepared_block = models.PositiveBigIntegerField(null=True)  # the latest one known then
    submitted_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)  # when the chain last knew the hash
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-prepared_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "network", "hash"],
                name="one_transaction_per_hash",
                condition=~models.Q(hash="") & models.Q(batch=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.function} on {self.network}: {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it."""
        return self.state in self.OPEN

    @property
    def is_followed_by_transfer(self) -> bool:
        """Whether it is the deposit of a batch: the transfer comes with it, for one fee."""
        return self.batch is not None and not self.provider

    @property
    def is_being_rehearsed(self) -> bool:
        """Whether a worker may still say what it will cost."""
        is_new = timezone.now() - self.prepared_at < _PATIENCE
        return self.state == self.State.PREPARED and self.fee_estimate is None and is_new

    def end(self, state: State, reason: str = "", advice: str = "") -> None:
        """Put the transaction into its final state, in words."""
        self.state, self.reason, self.advice = state, reason, advice
        self.ended_at = timezone.now()
        self.save()


class ProviderSession(models.Model):
    """A wallet's running session with a provider: its token encrypted, for at most 24 hours."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="provider_sessions")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    sealed_token = models.BinaryField()
    generation = models.PositiveBigIntegerField()
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "network", "provider"], name="one_session_per_provider"
            )
        ]

    def __str__(self) -> str:
        return f"session with {self.provider} until {self.expires_at:%Y-%m-%d %H:%M}"


class SignIn(models.Model):
    """A browser in which a wallet is signed in here; it goes when that browser's session goes."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="sign_ins")
    session = models.OneToOneField(Session, models.CASCADE, related_name="sign_in")
    device = models.CharField(max_length=60)  # such as "Firefox on Linux", no more of it
    signed_in_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-seen_at",)

    def __str__(self) -> str:
        return f"{self.device}, signed in {self.signed_in_at:%Y-%m-%d %H:%M}"


class ApiKey(models.Model):
    """A slot (token id 0..254) of a wallet with a provider, and what we know of the key in it.

    The key itself is never here: made in this site, it is shown once; pasted, it is read and let
    go. While a key waits for the wallet's signature its row holds the slot, so that two keys
    made at the same time never share one.
    """

    class Origin(models.TextChoices):
        MADE = "made"  # signed on this site
        PASTED = "pasted"  # made elsewhere, read from the key
        MARKED = "marked"  # made elsewhere, as its owner says

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="api_keys")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    label = models.CharField(max_length=60)
    slot = models.PositiveSmallIntegerField()
    generation = models.PositiveBigIntegerField()
    origin = models.CharField(max_length=6, choices=Origin.choices)
    nonce = models.CharField(max_length=64, blank=True)  # only until it is signed
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)  # None: never, or not known
    fingerprint = models.CharField(max_length=12, blank=True)  # start of the key's SHA-256

    class Meta:
        ordering = ("-issued_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "network", "provider", "generation", "slot"],
                name="one_api_key_per_slot",
            )
        ]

    def __str__(self) -> str:
        return f"slot {self.slot} with {self.provider} on {self.network}"

    @property
    def is_waiting(self) -> bool:
        """Whether the wallet has not signed it yet."""
        return self.origin == self.Origin.MADE and not self.fingerprint

    def sub_account(self) -> SubAccount | None:
        """The sub-account whose generation and bitmap decide about it."""
        rows = SubAccount.objects.filter(wallet=self.wallet, network=self.network)
        return rows.filter(provider=self.provider).first()


class Settlement(models.Model):
    """One on-chain settlement of a wallet's fees with a provider."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="settlements")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    transaction_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    status = models.PositiveSmallIntegerField()  # contract enum: 0 SUCCESS, 1 PARTIAL, …
    amount = NeuronField()  # taken from the sub-account
    unsettled_amount = NeuronField()  # still owed, as the contract's event says
    matched = NeuronField(default=0)  # the part explained by usage made here
    balance_after = NeuronField(null=True)
    settled_at = models.DateTimeField()

    class Meta:
        ordering = ("-block_number", "-log_index")
        constraints = [
            models.UniqueConstraint(
                fields=["network", "transaction_hash", "log_index"], name="one_settlement_per_log"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} neuron settled with {self.provider} on {self.network}"


class Usage(models.Model):
    """One billed request made through this site, with its exact fee."""

    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="usage")
    network = models.SlugField(max_length=31)
    provider = AddressField()
    model = models.CharField(max_length=300)
    kind = models.CharField(max_length=40)  # the service type
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    units = models.PositiveBigIntegerField(default=0)  # images or seconds, as `basis` says
    fee = NeuronField()
    basis = models.CharField(max_length=20)  # what the fee was computed from: usage, words, …
    happened_at = models.DateTimeField(default=timezone.now)
    paid = NeuronField(default=0)  # how much of the fee settlements have taken
    settlement = models.ForeignKey(
        Settlement, models.SET_NULL, null=True, related_name="paid_usage"
    )  # the one that paid the last of it

    class Meta:
        ordering = ("-happened_at",)
        verbose_name_plural = "usage"
        indexes = [models.Index(fields=["wallet", "network", "-happened_at"])]

    def __str__(self) -> str:
        return f"{self.fee} neuron for {self.model} on {self.network}"

    @property
    def unit(self) -> str:
        """What `units` counts: "image" or "second", or "" where tokens were billed."""
        return {"images": "image", "seconds": "second"}.get(self.basis, "")

    @property
    def unpaid(self) -> int:
        """Neuron of the fee that no settlement has taken yet."""
        return int(self.fee) - int(self.paid)


class Payment(models.Model):
    """The part of a settlement that paid (a part of) one usage; undone with its settlement."""

    settlement = models.ForeignKey(Settlement, models.CASCADE, related_name="payments")
    usage = models.ForeignKey(Usage, models.CASCADE, related_name="payments")
    amount = NeuronField()

    def __str__(self) -> str:
        return f"{self.amount} neuron"
