"""Who may see what: these functions' results prove the right to them; strangers get 404."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from accounts.models import Wallet
from studio.models import File, Work


def work_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Work:
    """Return that work of `wallet` with its files; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your works.")
    work = Work.objects.of(wallet, network).prefetch_related("files").filter(pk=pk).first()
    if work is None:
        raise Http404("There is no such work here.")
    return work


def file_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> File:
    """Return that file of a work of `wallet`; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your files.")
    mine = File.objects.filter(work__wallet=wallet, work__network=network).select_related("work")
    file = mine.filter(pk=pk).first()
    if file is None:
        raise Http404("There is no such file here.")
    return file
