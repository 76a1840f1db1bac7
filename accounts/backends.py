"""How Django finds the signed-in wallet again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Wallet

_SEEN_EVERY = timedelta(minutes=1)


class SignedMessage(BaseBackend):
    """A session belongs to the wallet that signed in; there are no passwords to check."""

    def authenticate(self, request: HttpRequest | None, **_: Any) -> None:
        return None

    def get_user(self, user_id: int) -> Wallet | None:
        """The wallet of a session; noted as seen, so that workers keep its balances fresh."""
        wallet = Wallet.objects.filter(pk=user_id).first()
        if wallet and timezone.now() - wallet.seen_at > _SEEN_EVERY:
            wallet.seen_at = timezone.now()
            wallet.save(update_fields=["seen_at"])
        return wallet
