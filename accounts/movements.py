"""Where a wallet's money went: every change of its ledger and its sub-accounts, as a row.

For every wallet and network the rows add up to the mirrored balances (`accounts.booking`).
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from marketplace.fields import AddressField, NeuronField


class AccountEvent(models.Model):
    """One step of a sub-account as the contracts' events tell it.

    Everybody's are kept, not only our wallets': who comes here later finds the past read already.
    """

    class Kind(models.TextChoices):
        LEVEL = "level"  # BalanceUpdated by a transfer or a processed refund
        SETTLEMENT = "settlement"  # one item of settleFeesWithTEE
        DELETION = "deletion"  # AccountDeleted

    network = models.SlugField(max_length=31)
    user = AddressField()
    provider = AddressField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    balance = NeuronField(null=True)  # after it; None where the event does not say
    status = models.PositiveSmallIntegerField(default=0)  # of a settlement: the contract's enum
    amount = NeuronField(default=0)  # taken by a settlement
    unsettled_amount = NeuronField(default=0)  # still owed after a settlement
    transaction_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    happened_at = models.DateTimeField()
    is_booked = models.BooleanField(default=False)  # whether its wallet's movements tell it

    class Meta:
        ordering = ("block_number", "log_index")
        constraints = [
            models.UniqueConstraint(
                fields=["network", "transaction_hash", "log_index"],
                name="one_account_event_per_log",
            )
        ]
        indexes = [
            models.Index(
                fields=["network", "user", "provider", "block_number"],
                name="account_events_of_user",
            ),
            models.Index(fields=["network", "user", "is_booked"], name="account_events_to_book"),
            models.Index(fields=["network", "block_number"], name="account_events_by_block"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user} with {self.provider} in block {self.block_number}"


class Movement(models.Model):
    """One movement of a wallet's money; `kind` gives the sign to `amount`.

    A row with a `seen_block` is what a read of the balances at that height showed and nothing
    has explained exactly yet: later evidence replaces it. `provider` is blank for deposits and
    withdrawals, and for what is locked with services of another kind than inference.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit"  # into the ledger
        TRANSFER = "transfer"  # ledger to provider
        RETURN = "return"  # provider to ledger
        SETTLEMENT = "settlement"  # the provider took fees
        WITHDRAWAL = "withdrawal"  # ledger to wallet

    class Source(models.TextChoices):
        TRANSACTION = "transaction"  # a transaction followed here
        EVENT = "event"  # read from the contracts' events
        LEVEL = "level"  # seen as a change of level; the reason is inferred

    wallet = models.ForeignKey("Wallet", models.CASCADE, related_name="movements")
    network = models.SlugField(max_length=31)
    provider = AddressField(blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    source = models.CharField(max_length=11, choices=Source.choices)
    amount = NeuronField()  # above zero
    transaction = models.ForeignKey(
        "Transaction", models.SET_NULL, null=True, related_name="movements"
    )
    settlement = models.ForeignKey(
        "Settlement", models.SET_NULL, null=True, related_name="movements"
    )
    event = models.OneToOneField(AccountEvent, models.SET_NULL, null=True, related_name="movement")
    transaction_hash = models.CharField(max_length=66, blank=True)
    block_number = models.PositiveBigIntegerField(null=True)
    seen_block = models.PositiveBigIntegerField(null=True)
    happened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-happened_at", "-pk")
        indexes = [
            models.Index(fields=["wallet", "network", "-happened_at"], name="movements_of_wallet")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount} neuron on {self.network}"

    @property
    def available_change(self) -> int:
        """Neuron by which it changed the ledger's available balance."""
        return AVAILABLE_SIGN[self.Kind(self.kind)] * int(self.amount)

    @property
    def locked_change(self) -> int:
        """Neuron by which it changed what is locked with its provider."""
        return LOCKED_SIGN[self.Kind(self.kind)] * int(self.amount)


_Kind = Movement.Kind
AVAILABLE_SIGN = {
    _Kind.DEPOSIT: 1,
    _Kind.TRANSFER: -1,
    _Kind.RETURN: 1,
    _Kind.SETTLEMENT: 0,
    _Kind.WITHDRAWAL: -1,
}
LOCKED_SIGN = {
    _Kind.DEPOSIT: 0,
    _Kind.TRANSFER: 1,
    _Kind.RETURN: -1,
    _Kind.SETTLEMENT: -1,
    _Kind.WITHDRAWAL: 0,
}
