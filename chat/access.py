"""Who may see what: these functions' results prove the right to them; strangers get 404."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from accounts.models import Wallet
from chat.models import Conversation, Message


def conversation_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Conversation:
    """Return that conversation of `wallet`; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your conversations.")
    try:
        conversation: Conversation = Conversation.objects.of(wallet, network).get(pk=pk)
    except Conversation.DoesNotExist:
        raise Http404("There is no such conversation here.") from None
    return conversation


def answer_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Message:
    """Return that answer with its conversation and receipt; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your conversations.")
    answers = Message.objects.answers().select_related("conversation", "receipt")
    mine = answers.filter(conversation__wallet=wallet, conversation__network=network)
    try:
        answer: Message = mine.get(pk=pk)
    except Message.DoesNotExist:
        raise Http404("There is no such answer here.") from None
    return answer
