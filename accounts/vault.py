"""Encryption at rest for what would spend a user's funds: keys apart from SECRET_KEY, rotated."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"0g-compute provider sessions"


class Unreadable(Exception):
    """No present or retired TOKEN_KEY opens it: it was changed, or its key is gone."""


def lock(text: str) -> bytes:
    """Encrypt with the present TOKEN_KEY."""
    return _keys().encrypt(text.encode())


def unlock(sealed: bytes) -> str:
    """Decrypt with the present key or a retired one; raises Unreadable."""
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise Unreadable from None


def _keys() -> MultiFernet:
    return _derived((settings.TOKEN_KEY, *settings.TOKEN_KEYS_RETIRED))


@lru_cache(maxsize=4)
def _derived(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_fernet_key(secret)) for secret in secrets])


def _fernet_key(secret: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
