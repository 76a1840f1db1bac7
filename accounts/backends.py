"""How Django finds the signed-in wallet again."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import Wallet


class SignedMessage:
    """A session belongs to the wallet that signed in; there are no passwords to check."""

    def authenticate(self, request: HttpRequest | None, **_: object) -> None:
        return None

    def get_user(self, user_id: int) -> Wallet | None:
        return Wallet.objects.filter(pk=user_id).first()
