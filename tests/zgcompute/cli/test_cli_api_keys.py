"""API keys from a shell: made in slots of their own, revoked, and acknowledged signers."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.zgcompute.cli.desk import ALICE, ALICE_KEY, Desk, json_of, shape
from tests.zgcompute.cli.schemas import promised
from tests.zgcompute.cli.test_cli_moves import SENT
from zgcompute.cli import slots
from zgcompute.session import SessionToken
from zgcompute.types import SubAccount

DAY_MS = 86_400_000
SECRET = {
    "provider": "str",
    "slot": "int",
    "generation": "int",
    "expires_at": "int",
    "base_url": "str",
    "api_key": "str",
}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.fund(deposit="10", transfer="4")
    return desk


def make(desk: Desk, *arguments: str) -> SessionToken:
    result = desk.look("inference get-secret", *named(desk), *arguments)
    assert result.exit_code == 0, result.stderr
    return SessionToken.parse(result.stdout.removesuffix("\n"))


def named(desk: Desk) -> tuple[str, str]:
    return "--provider", desk.service.provider


def account(desk: Desk) -> SubAccount:
    return desk.chain.sub_account(ALICE.address, desk.service.provider)


def test_the_key_alone_is_on_stdout_and_the_rest_beside_it(desk: Desk) -> None:
    result = desk.look("inference get-secret", *named(desk))
    token = SessionToken.parse(result.stdout.removesuffix("\n"))
    assert (token.user, token.provider) == (ALICE.address, desk.service.provider)
    assert token.api_key not in result.stderr
    assert "API key in slot 254" in result.stderr
    assert f"{desk.service.url}/v1/proxy" in result.stderr
    assert "revoke-token" in result.stderr
    lifetime = token.expires_at_ms - token.issued_at_ms
    assert lifetime == 30 * DAY_MS
    assert ALICE_KEY[2:] not in result.output


def test_a_made_key_asks_a_question(desk: Desk) -> None:
    assert desk.ask("chat", "Hello", key=make(desk).api_key).exit_code == 0


def test_json_has_a_stable_shape(desk: Desk) -> None:
    found = json_of(desk.look("inference get-secret", *named(desk), "--json"))
    assert shape(found) == SECRET
    never = json_of(desk.look("inference get-secret", *named(desk), "--json", "--expires", "never"))
    assert never["expires_at"] is None


@pytest.mark.parametrize(
    ("arguments", "milliseconds"),
    [
        (["--expires", "12h"], DAY_MS // 2),
        (["--expires", "7d"], 7 * DAY_MS),
        (["--expires", "4w"], 28 * DAY_MS),
        (["--expires", "90m"], 5_400_000),
        (["--duration", "3600000"], 3_600_000),
    ],
)
def test_a_key_ends_when_that_is_asked_for(
    desk: Desk, arguments: list[str], milliseconds: int
) -> None:
    token = make(desk, *arguments)
    assert token.expires_at_ms - token.issued_at_ms == milliseconds


@pytest.mark.parametrize("arguments", [["--expires", "never"], ["--duration", "0"]])
def test_a_key_may_last_for_ever(desk: Desk, arguments: list[str]) -> None:
    assert make(desk, *arguments).expires_at_ms == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--expires", "soon"],
        ["--expires", "0d"],
        ["--expires", "1d", "--duration", "5"],
        ["--duration", "-1"],
        ["--slot", "255"],
    ],
)
def test_what_no_key_can_be_is_wrong_use(desk: Desk, folder: Path, arguments: list[str]) -> None:
    result = desk.look("inference get-secret", *named(desk), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert not (folder / "keys.json").exists()


def test_no_two_keys_share_a_slot(desk: Desk) -> None:
    assert [make(desk).token_id for _ in range(3)] == [254, 253, 252]
    assert make(desk, "--slot", "7").token_id == 7
    taken = desk.look("inference get-secret", *named(desk), "--token-id", "7")
    assert (taken.exit_code, taken.stdout) == (2, "")
    assert "what revokes the one would revoke the other" in taken.stderr


def test_a_revoked_slot_gets_no_key(desk: Desk) -> None:
    desk.chain.apply(desk.chain.calls.revoke_token(desk.service.provider, 254), ALICE.address)
    assert make(desk).token_id == 253
    revoked = desk.look("inference get-secret", *named(desk), "--slot", "254")
    assert (revoked.exit_code, "Slot 254 is revoked" in revoked.stderr) == (2, True)


def test_many_at_once_still_get_a_slot_each(desk: Desk) -> None:
    place, found = slots.Place(1, "contract", "user", "provider"), account(desk)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: slots.take(place, found, None), range(40)))
    assert sorted(taken) == list(range(215, 255))


def test_slots_are_counted_apart_for_each_provider(desk: Desk) -> None:
    make(desk)
    other = desk.add("0x4444444444444444444444444444444444444444").service.provider
    desk.chain.apply(desk.chain.calls.transfer(other, 10**18), ALICE.address)
    result = desk.look("inference get-secret", "--provider", other)
    assert SessionToken.parse(result.stdout.strip()).token_id == 254


def test_the_notes_are_private_and_hold_no_key(desk: Desk, folder: Path) -> None:
    token = make(desk)
    notes = folder / "keys.json"
    assert notes.stat().st_mode & 0o777 == 0o600
    assert token.signature[2:] not in notes.read_text()
    assert token.nonce not in notes.read_text()
    assert shape(json.loads(notes.read_text())) == {
        "issued": [
            {
                "chain_id": "int",
                "contract": "str",
                "user": "str",
                "provider": "str",
                "slot": "int",
                "generation": "int",
                "issued_at_ms": "int",
                "expires_at_ms": "int",
            }
        ]
    }


@pytest.mark.parametrize("content", ["{}", '{"issued": [1]}', '{"issued": 5}', "nothing"])
def test_damaged_notes_make_no_key(desk: Desk, folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "keys.json").write_text(content)
    result = desk.look("inference get-secret", *named(desk))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "keys.json" in result.stderr


def test_a_slot_is_free_again_a_day_after_its_key_ended(desk: Desk, folder: Path) -> None:
    make(desk)
    notes = folder / "keys.json"
    content = json.loads(notes.read_text())

    def ended(ago_ms: int) -> None:
        content["issued"][0]["expires_at_ms"] = time.time_ns() // 1_000_000 - ago_ms
        notes.write_text(json.dumps(content))

    ended(DAY_MS // 2)
    assert make(desk).token_id == 253
    ended(DAY_MS + 1000)
    assert make(desk).token_id == 254


def test_with_all_slots_taken_it_says_what_frees_them(desk: Desk) -> None:
    ids = list(range(255))
    desk.chain.apply(desk.chain.calls.revoke_tokens(desk.service.provider, ids), ALICE.address)
    result = desk.look("inference get-secret", *named(desk))
    assert (result.exit_code, "revoke-all-tokens frees" in result.stderr) == (2, True)
    assert desk.pay("inference revoke-all-tokens", *named(desk)).exit_code == 0
    token = make(desk)
    assert (token.token_id, token.generation) == (254, 1)


def test_a_key_that_cannot_be_signed_takes_no_slot(desk: Desk) -> None:
    wrong = replace(account(desk), user="0x" + "ab" * 20)
    place = slots.Place(1, "contract", wrong.user, wrong.provider)
    taken = slots.take(place, wrong, None)
    slots.give_back(place, wrong, taken)
    assert slots.issued_slots(place, wrong) == []


def test_without_a_sub_account_there_is_no_key() -> None:
    desk = Desk()
    result = desk.look("inference get-secret", *named(desk))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "the first transfer creates the sub-account" in result.stderr


def test_revoking_a_slot_sets_its_bit(desk: Desk) -> None:
    result = desk.pay("inference revoke-token", *named(desk), "--slot", "7", "--json")
    assert shape(json_of(result)) == SENT | {"provider": "str", "slot": "int"}
    assert account(desk).revoked_bitmap == 1 << 7
    assert "up to 10 minutes" in result.stderr
    again = desk.pay("inference revoke-token", *named(desk), "--token-id", "7")
    assert (again.exit_code, "revoked already" in again.stderr) == (3, True)
    assert desk.pay("inference revoke-token", *named(desk)).exit_code == 2


def test_revoking_everything_says_what_breaks(desk: Desk) -> None:
    make(desk)
    result = desk.pay("inference revoke-all-tokens", *named(desk), "--json")
    assert shape(json_of(result)) == SENT | {"provider": "str", "generation": "int"}
    assert "what was made here (slot 254)" in result.stderr
    assert "running sessions" in result.stderr
    assert account(desk).generation == 1
    assert "no key made here" in desk.pay("inference revoke-all-tokens", *named(desk)).stderr


def test_revoking_asks_before_it_sends(desk: Desk) -> None:
    for name in ("revoke-all-tokens", "revoke-token --slot 3", "acknowledge-provider"):
        desk.chain.apply(desk.chain.calls.retrieve([desk.service.provider]), ALICE.address)
        result = desk.look(f"inference {name}", *named(desk))
        assert result.exit_code in (2, 3), name
    assert (account(desk).generation, account(desk).revoked_bitmap) == (0, 0)


def test_a_signer_is_acknowledged_once(desk: Desk) -> None:
    provider = desk.service.provider
    already = desk.pay("inference acknowledge-provider", *named(desk))
    assert (already.exit_code, "acknowledged already" in already.stderr) == (3, True)
    desk.chain.apply(desk.chain.calls.retrieve([provider]), ALICE.address)
    desk.chain.advance(DAY_MS // 1000)
    desk.chain.apply(desk.chain.calls.retrieve([provider]), ALICE.address)
    desk.chain.apply(desk.chain.calls.acknowledge(provider, False), ALICE.address)
    result = desk.pay("inference acknowledge-provider", *named(desk), "--json")
    said = promised("inference acknowledge-provider", json_of(result))
    assert (said["provider"], said["tee_signer"]) == (provider, desk.service.tee_signer)
    assert account(desk).acknowledged


def test_a_provider_that_is_not_there_is_not_acknowledged(desk: Desk) -> None:
    result = desk.pay("inference acknowledge-provider", "--provider", ALICE.address)
    assert (result.exit_code, "no service on chain" in result.stderr) == (3, True)
