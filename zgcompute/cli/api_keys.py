"""`inference get-secret`, `revoke-token`, `revoke-all-tokens`: API keys, each in its own slot."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from zgcompute.cli import slots
from zgcompute.cli.output import moment, note, say, say_json
from zgcompute.cli.place import Place, json_option, network_options, provider_option
from zgcompute.cli.spending import Order, Wallet, opened, wallet_command

if TYPE_CHECKING:
    from zgcompute.session import SessionToken
    from zgcompute.types import SubAccount

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)
_LONGEST_MS = 10**13  # some three centuries; 0 is for ever
_LAG = "Providers may take up to 10 minutes to notice."
_SLOT = click.IntRange(0, slots.SLOTS - 1)


@click.command("get-secret")
@network_options
@provider_option
@click.option(
    "--slot",
    "--token-id",
    "slot",
    type=_SLOT,
    metavar="N",
    help="Its slot; without it the highest free one.",
)
@click.option("--expires", metavar="TIME", help="Such as 12h, 7d, or never.  [default: 30d]")
@click.option(
    "--duration",
    type=click.IntRange(0, _LONGEST_MS),
    metavar="MS",
    help="The same in milliseconds; 0 is never.",
)
@json_option
def get_secret(
    place: Place,
    provider: str,
    slot: int | None,
    expires: str | None,
    duration: int | None,
    as_json: bool,
) -> None:
    """Make an API key for a provider.

    Standard output gets the key alone: whoever has it spends what is locked with the provider. It
    is not kept here. It is signed with the wallet's key and costs nothing.

    \b
    0g-compute-cli inference get-secret --provider ADDRESS --expires 7d
    """
    lifetime = _lifetime(expires, duration)
    with opened(place) as wallet:
        url = wallet.broker.services.get(provider).proxy_url
        account = wallet.broker.chain.sub_account(wallet.address, provider)
        token = _issued(wallet, account, slot, lifetime)
    ends = moment(token.expires_at_ms // 1000) if token.expires_at_ms else "never"
    note(f"API key in slot {token.token_id} for {token.provider}; it ends {_until(ends)}.")
    note(f"OpenAI clients use it at {url}")
    note(
        "Revoke it with: 0g-compute-cli inference revoke-token "
        f"--provider {token.provider} --slot {token.token_id}"
    )
    if as_json:
        say_json(_in_json(token, url))
    else:
        say(token.api_key)


@click.command("revoke-token")
@wallet_command
@provider_option
@click.option(
    "--slot", "--token-id", "slot", type=_SLOT, required=True, metavar="N", help="The key's slot."
)
def revoke_token(wallet: Wallet, provider: str, slot: int) -> None:
    """Revoke the API key in a slot.

    Nobody can use a revoked slot again, until all keys are revoked together.

    \b
    0g-compute-cli inference revoke-token --provider ADDRESS --slot 254
    """
    from zgcompute.errors import LedgerError

    account = wallet.broker.chain.sub_account(wallet.address, provider)
    if account.is_revoked(slot):
        raise LedgerError(f"Slot {slot} is revoked already.", advice="There is nothing to do.")
    order = Order(
        f"Revoke slot {slot} with {account.provider}",
        wallet.broker.calls.revoke_token(account.provider, slot),
        f"Revoked slot {slot} with {account.provider}",
        notes=(f"Every key in this slot stops working. {_LAG}",),
        facts={"provider": account.provider, "slot": slot},
    )
    wallet.carry_out(order)


@click.command("revoke-all-tokens")
@wallet_command
@provider_option
def revoke_all_tokens(wallet: Wallet, provider: str) -> None:
    """Revoke every API key and session with a provider.

    All 255 slots are free again afterwards.

    \b
    0g-compute-cli inference revoke-all-tokens --provider ADDRESS
    """
    account = wallet.broker.chain.sub_account(wallet.address, provider)
    order = Order(
        f"Revoke all keys and sessions with {account.provider}",
        wallet.broker.calls.revoke_all_tokens(account.provider),
        f"Revoked all keys and sessions with {account.provider}",
        notes=(_what_breaks(wallet, account), _LAG),
        facts={"provider": account.provider, "generation": account.generation + 1},
    )
    wallet.carry_out(order)


@click.command("acknowledge-provider")
@wallet_command
@provider_option
def acknowledge_provider(wallet: Wallet, provider: str) -> None:
    """Accept a provider's TEE signer.

    Needed only where it is not acknowledged: every transfer acknowledges it too.

    \b
    0g-compute-cli inference acknowledge-provider --provider ADDRESS
    """
    from zgcompute.errors import LedgerError

    service = wallet.broker.services.get(provider)
    account = wallet.broker.chain.sub_account(wallet.address, service.provider)
    if account.acknowledged:
        raise LedgerError(
            "This provider's TEE signer is acknowledged already.", advice="There is nothing to do."
        )
    order = Order(
        f"Acknowledge the TEE signer {service.tee_signer} of {service.provider}",
        wallet.broker.calls.acknowledge(service.provider),
        f"Acknowledged the TEE signer of {service.provider}",
        notes=(
            "It lets the provider settle fees that this signer signed. Its attestation is checked "
            "with: 0g-compute-cli inference verify",
        ),
        facts={"provider": service.provider, "tee_signer": service.tee_signer},
    )
    wallet.carry_out(order)


def _issued(
    wallet: Wallet, account: SubAccount, wanted: int | None, lifetime: timedelta | None
) -> SessionToken:
    """A signed key in a slot that was noted before it was signed."""
    from zgcompute.session import SessionRequest

    place = _slots_of(wallet, account)
    signer = wallet.unlocked().required_signer()
    slot = slots.take(place, account, wanted)
    try:
        request = SessionRequest.new(
            account.user,
            account.provider,
            generation=account.generation,
            token_id=slot,
            lifetime=lifetime,
        )
        token = request.signed_by(signer)
    except BaseException:
        slots.give_back(place, account, slot)
        raise
    slots.note_key(place, account, token)
    return token


def _slots_of(wallet: Wallet, account: SubAccount) -> slots.Place:
    calls = wallet.broker.calls
    return slots.Place.of(account, calls.chain_id, calls.contracts.inference)


def _what_breaks(wallet: Wallet, account: SubAccount) -> str:
    known = slots.issued_slots(_slots_of(wallet, account), account)
    named = f"slot{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"
    made_here = f"what was made here ({named})" if known else "no key made here"
    return (
        f"What stops working: {made_here}, every key made elsewhere for this provider, and running "
        "sessions, the website's too. Funds stay where they are."
    )


def _lifetime(expires: str | None, duration: int | None) -> timedelta | None:
    if expires is not None and duration is not None:
        raise click.UsageError("Give either --expires or --duration.")
    if duration is not None:
        return timedelta(milliseconds=duration) if duration else None
    if expires == "never":
        return None
    match = _LIFETIME.fullmatch(expires or "30d")
    if match is None:
        raise click.BadParameter("Write it like 12h, 7d, 4w, or never.", param_hint="--expires")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _until(ends: str) -> str:
    return ends if ends == "never" else f"on {ends}"


def _in_json(token: SessionToken, url: str) -> dict[str, object]:
    return {
        "provider": token.provider,
        "slot": token.token_id,
        "generation": token.generation,
        "expires_at": token.expires_at_ms // 1000 or None,
        "base_url": url,
        "api_key": token.api_key,
    }
