"""Ordering works. Ordering the same thing twice by accident is ordering once."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import Sum

from accounts.models import Wallet
from accounts.pictures import CleanPicture
from accounts.stored import NewFile
from marketplace.models import Service
from studio import files
from studio.forms import WorkForm
from studio.models import File, Work
from studio.quotes import Quote, quote_pictures, quote_recording
from zgcompute.uploads import Upload

MOST_KEPT = 1 << 30  # bytes of one wallet's files on one network
AT_ONCE = 4  # of one wallet; providers answer 5 requests of one user at a time (PROTOCOL §2.3)


class OrderRefused(Exception):
    """The order cannot be taken now; `str()` tells the person why.

    `step` is the one of accounts.readiness that helps, "" where none does.
    """

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message)
        self.step = step


def order(wallet: Wallet, service: Service, kind: str, form: WorkForm) -> tuple[Work, bool]:
    """Return the pending work that the valid `form` orders, and whether this call made it.

    A form that comes back with other words orders something else. Raises OrderRefused while too
    many works of the wallet are on their way, its files take too much room, or the balance with
    the provider cannot pay for it.
    """
    source, model = _source(form), form.chosen_model or service.model
    key = _key(form, service, source)
    if found := Work.objects.filter(wallet=wallet, key=key).first():
        return found, False
    _require_room(wallet, service.network)
    _require_means(_quote(wallet, service, kind, model, form, source))
    try:
        with files.stored(*source) as columns, transaction.atomic():
            return _made(wallet, service, model, kind, key, form, columns), True
    except IntegrityError:
        return Work.objects.get(wallet=wallet, key=key), False


def _require_room(wallet: Wallet, network: str) -> None:
    mine = Work.objects.of(wallet, network)
    if mine.running().count() >= AT_ONCE:
        raise OrderRefused(f"{AT_ONCE} of your orders are on their way. Wait for one to end.")
    kept = File.objects.filter(work__in=mine).aggregate(bytes=Sum("size"))["bytes"] or 0
    if kept >= MOST_KEPT:
        raise OrderRefused(f"Your files here take {kept >> 20} MB. Delete some of them first.")


def _quote(
    wallet: Wallet, service: Service, kind: str, model: str, form: WorkForm, source: list[NewFile]
) -> Quote | None:
    if kind != Work.Kind.SPEECH:
        return quote_pictures(wallet, service, model, int(form.settings.get("n", 1)))
    return quote_recording(wallet, service, model, source[0].facts["seconds"])


def _require_means(quote: Quote | None) -> None:
    if quote and quote.refusal:
        raise OrderRefused(quote.refusal, step="transfer")


def _made(
    wallet: Wallet,
    service: Service,
    model: str,
    kind: str,
    key: UUID,
    form: WorkForm,
    source: list[dict[str, Any]],
) -> Work:
    work = Work.objects.create(
        wallet=wallet,
        network=service.network,
        provider=service.provider,
        model=model,
        kind=kind,
        key=key,
        prompt=form.words,
        settings=form.settings,
    )
    for columns in source:
        File.objects.create(work=work, role=File.Role.SOURCE, **columns)
    return work


def _source(form: WorkForm) -> list[NewFile]:
    """What is sent along, where anything is; raises OrderRefused where it is gone by now."""
    upload = form.upload
    if upload is None:
        return []
    if isinstance(upload, CleanPicture):
        return [NewFile.picture(upload)]
    if isinstance(upload, Upload):
        return [files.recording(upload)]
    try:
        return [upload.copy()]
    except FileNotFoundError as error:
        raise OrderRefused("The file that it starts from was deleted. Choose another.") from error


def _key(form: WorkForm, service: Service, source: list[NewFile]) -> UUID:
    sent = [
        service.provider,
        form.chosen_model,
        form.words,
        form.settings,
        *(file.sha256 for file in source),
    ]
    return uuid5(form.order_key, json.dumps(sent, sort_keys=True))
