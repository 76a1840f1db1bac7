"""In which browsers a wallet is signed in here: listed, and ended from any of them.

Little is kept: when, and what kind of browser. A row goes with the browser's session, whose key
never leaves the database.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import IntegrityError
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SignIn, Wallet

SEEN_EVERY = 60  # seconds; the time shown is no more exact than that
_BROWSERS = (  # the first that fits: each also names those below it
    ("Edge", "Edg"),
    ("Opera", "OPR/"),
    ("Samsung Internet", "SamsungBrowser"),
    ("Firefox", "Firefox/|FxiOS"),
    ("Chrome", "Chrome/|CriOS|Chromium"),
    ("Safari", "Safari/"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac", "Macintosh|Mac OS"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux|X11"),
)


def note(request: HttpRequest, wallet: Wallet) -> None:
    """Keep that `wallet` has just signed in with this browser's session."""
    request.session.clear_expired()
    _keep(str(request.session.session_key), wallet, _device(request), timezone.now())


def see(request: HttpRequest) -> None:
    """Keep that this browser was here, at most once a minute; strangers leave no trace."""
    if not request.session.session_key or not isinstance(request.user, Wallet):
        return
    key = str(request.session.session_key)
    if cache.add(f"sign-in-seen:{key}", True, SEEN_EVERY):
        now = timezone.now()
        if not SignIn.objects.filter(session_id=key).update(seen_at=now):
            _keep(key, request.user, _device(request), now)


def of(wallet: Wallet) -> QuerySet[SignIn]:
    """The browsers in which `wallet` is signed in now, the last seen first."""
    return wallet.sign_ins.filter(session__expire_date__gt=timezone.now())


def end(sign_in: SignIn) -> None:
    """Sign that browser out: its next request is a stranger's."""
    Session.objects.filter(pk=sign_in.session_id).delete()


def end_others(wallet: Wallet, session_key: str) -> None:
    """Sign out everywhere but in the browser with that session."""
    others = wallet.sign_ins.exclude(session_id=session_key)
    Session.objects.filter(pk__in=list(others.values_list("session_id", flat=True))).delete()


def short_name(user_agent: str) -> str:
    """A browser as people call it, such as "Firefox on Linux"; nothing else of what it says."""
    browser = _first(_BROWSERS, user_agent) or "A browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _device(request: HttpRequest) -> str:
    return short_name(request.headers.get("User-Agent", "")[:500])


def _keep(session_key: str, wallet: Wallet, device: str, now: datetime) -> None:
    """Two requests of a browser may come at once, and its session may have ended meanwhile."""
    try:
        with atomic():
            SignIn.objects.update_or_create(
                session=Session.objects.get(pk=session_key),
                defaults={"wallet": wallet, "device": device, "seen_at": now},
            )
    except (IntegrityError, Session.DoesNotExist):
        return


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, text)), "")
