"""Who may see what: these functions' results prove the right to them; strangers get 404."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from accounts.models import Wallet
from chat.models import Comparison, Conversation, Message, Picture


def conversation_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Conversation:
    """Return that conversation of `wallet`; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your conversations.")
    try:
        conversation: Conversation = Conversation.objects.of(wallet, network).get(pk=pk)
    except Conversation.DoesNotExist:
        raise Http404("There is no such conversation here.") from None
    return conversation


def comparison_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Comparison:
    """Return that comparison of `wallet`, while some of it is left; Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your conversations.")
    kept = (
        Conversation.objects.of(wallet, network).filter(comparison=pk).select_related("comparison")
    )
    conversation = kept.first()
    if conversation is None:
        raise Http404("There is no such comparison here.")
    comparison: Comparison = conversation.comparison
    return comparison


def message_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Message:
    """Return that question or answer with its conversation; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your conversations.")
    messages = Message.objects.of(wallet, network)
    try:
        message: Message = messages.select_related("conversation", "parent", "receipt").get(pk=pk)
    except Message.DoesNotExist:
        raise Http404("There is no such message here.") from None
    return message


def picture_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Picture:
    """Return that picture of a question of `wallet`; raises Http404 for strangers."""
    if not isinstance(wallet, Wallet):
        raise Http404("Sign in to see your pictures.")
    mine = Picture.objects.filter(message__in=Message.objects.of(wallet, network))
    picture: Picture | None = mine.filter(pk=pk).first()
    if picture is None:
        raise Http404("There is no such picture here.")
    return picture


def question_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Message:
    """Return that question with its conversation; raises Http404 for strangers."""
    return _of_role(Message.Role.USER, message_for(wallet, network, pk))


def answer_for(wallet: Wallet | AnonymousUser, network: str, pk: UUID) -> Message:
    """Return that answer with its conversation and receipt; raises Http404 for strangers."""
    return _of_role(Message.Role.ASSISTANT, message_for(wallet, network, pk))


def _of_role(role: str, message: Message) -> Message:
    if message.role != role:
        raise Http404("There is no such message here.")
    return message
