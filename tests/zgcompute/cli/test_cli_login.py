"""Whose key, where it is kept, and that it is never shown."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.zgcompute.cli.desk import ALICE, ALICE_KEY, Desk, json_of, shape

BOB_KEY = "22" * 32
BOB = "0x1563915e194D8CfBA1943570603F7606A3115508"
PASSPHRASE = "correct horse battery"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Alice's key as another wallet exports it; a weak derivation, which tests can wait for."""
    content = Account.encrypt(ALICE_KEY, PASSPHRASE, kdf="scrypt", iterations=2)
    (tmp_path / "exported.json").write_text(json.dumps(content))
    return tmp_path / "exported.json"


@pytest.fixture
def kept(folder: Path, exported: Path) -> Path:
    """The same as our own keystore."""
    folder.mkdir()
    exported.rename(folder / "keystore.json")
    return folder / "keystore.json"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_typed_key_is_saved_encrypted_for_its_owner_alone(desk: Desk, folder: Path) -> None:
    typed = f"{ALICE_KEY}\n{PASSPHRASE}\n{PASSPHRASE}\n"
    result = desk.run("login", typed=typed)
    assert result.exit_code == 0
    assert ALICE_KEY[2:] not in result.output
    assert PASSPHRASE not in result.output
    assert f"Saved the key of {ALICE.address}" in result.stdout
    assert sorted(p.name for p in folder.iterdir()) == ["keystore.json"]
    assert (mode(folder), mode(folder / "keystore.json")) == (0o700, 0o600)
    content = json.loads((folder / "keystore.json").read_text())
    assert content["crypto"]["kdf"] == "scrypt"
    assert content["crypto"]["kdfparams"]["n"] >= 2**17
    assert Account.decrypt(content, PASSPHRASE) == bytes.fromhex(ALICE_KEY[2:])


def test_a_passphrase_that_is_typed_in_two_ways_is_asked_for_again(desk: Desk) -> None:
    typed = f"{BOB_KEY}\n{PASSPHRASE}\nanother\n{PASSPHRASE}\n{PASSPHRASE}\n"
    assert desk.run("login", typed=typed).exit_code == 0


def test_a_key_comes_from_the_environment_without_a_question(desk: Desk) -> None:
    env = {"ZG_PRIVATE_KEY": ALICE_KEY, "ZG_KEYSTORE_PASSWORD": PASSPHRASE}
    result = desk.run("login", "--json", **env)
    assert result.exit_code == 0
    assert shape(json_of(result)) == {"address": "str", "keystore": "str"}
    assert json_of(result)["address"] == ALICE.address


def test_an_exported_keystore_is_taken_with_its_passphrase(
    desk: Desk, exported: Path, folder: Path
) -> None:
    result = desk.run("login", "--import", str(exported), typed=f"{PASSPHRASE}\n")
    assert result.exit_code == 0
    content = json.loads((folder / "keystore.json").read_text())
    assert content["crypto"]["kdfparams"]["n"] >= 2**17, "a weak derivation is not kept"
    assert Account.decrypt(content, PASSPHRASE) == bytes.fromhex(ALICE_KEY[2:])


def test_a_saved_key_is_replaced_only_by_force(desk: Desk, kept: Path) -> None:
    env = {"ZG_PRIVATE_KEY": BOB_KEY, "ZG_KEYSTORE_PASSWORD": PASSPHRASE}
    before = kept.read_bytes()
    refused = desk.run("login", **env)
    assert (refused.exit_code, kept.read_bytes()) == (2, before)
    assert "--force replaces it" in refused.stderr
    replaced = desk.run("login", "--force", **env)
    assert replaced.exit_code == 0
    assert f"The key of {ALICE.address} was replaced." in replaced.stderr
    assert desk.run("status", "--json").stdout.count(BOB) == 1


REFUSED: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {}, "there is no terminal to ask on"),
    ([], {"typed": "0x12\n"}, "What was typed is no private key."),
    ([], {"typed": "00" * 32 + "\n"}, "What was typed is no private key."),
    ([], {"typed": f"{BOB_KEY}\nshort\nshort\n"}, "shorter than 8 characters"),
    ([], {"ZG_PRIVATE_KEY": BOB_KEY}, "there is no terminal to ask on"),
    ([BOB_KEY], {}, "others can have seen it"),
    ([f"--private-key={BOB_KEY}"], {}, "No such option"),
    (["--import", "missing.json"], {}, "There is no file missing.json"),
]


@pytest.mark.parametrize(("arguments", "options", "reason"), REFUSED)
def test_what_cannot_be_saved_is_refused_without_showing_it(
    desk: Desk, folder: Path, arguments: list[str], options: dict[str, Any], reason: str
) -> None:
    result = desk.run("login", *arguments, **options)
    assert (result.exit_code, result.stdout.strip()) == (2, "")
    assert reason in result.stderr
    assert BOB_KEY not in result.output
    assert not (folder / "keystore.json").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"address": "00" * 20}, "holds the key of another address"),
        ({"address": None}, "it names no address"),
        ({"crypto": {"kdf": "scrypt", "kdfparams": {"n": 2**40, "r": 8}}}, "more than 1 GiB"),
        ({"crypto": {"kdfparams": {"n": 2**12, "r": 8, "p": 2**30}}}, "would take minutes"),
        ({"crypto": {"kdf": "pbkdf2", "kdfparams": {"c": 10**12}}}, "would take minutes"),
        ({"crypto": {}}, "does not open"),
        ({"version": 9}, "does not open"),
    ],
)
def test_a_changed_keystore_is_refused(
    desk: Desk, exported: Path, change: dict[str, Any], reason: str
) -> None:
    exported.write_text(json.dumps(json.loads(exported.read_text()) | change))
    env = {"ZG_KEYSTORE_PASSWORD": PASSPHRASE}
    result = desk.run("login", "--import", str(exported), **env)
    assert (result.exit_code, reason in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, "\0" * 10])
def test_a_file_that_is_no_keystore_is_said_to_be_none(
    desk: Desk, exported: Path, content: str
) -> None:
    exported.write_text(content)
    result = desk.run("login", "--import", str(exported), ZG_KEYSTORE_PASSWORD=PASSPHRASE)
    assert (result.exit_code, "is not a JSON object" in result.stderr) == (2, True)


def test_status_tells_the_network_and_whose_key_without_opening_it(desk: Desk, kept: Path) -> None:
    found = json_of(desk.run("status", "--json"))
    assert shape(found) == {
        "network": "str",
        "chain_id": "int",
        "address": "str",
        "source": "str",
        "keystore": "str",
    }
    assert (found["address"], found["source"]) == (ALICE.address, "keystore")
    both = desk.run("status", ZG_PRIVATE_KEY=BOB_KEY)
    assert BOB in both.stdout
    assert "environment (ZG_PRIVATE_KEY)" in both.stdout
    assert f"goes before the saved key of {ALICE.address}" in both.stderr
    assert BOB_KEY not in both.output
    assert desk.networks == [], "nobody was asked"


def test_status_without_a_key_says_what_to_do(desk: Desk) -> None:
    result = desk.run("status")
    assert (result.exit_code, "0g-compute-cli login" in result.stdout) == (0, True)
    found = json_of(desk.run("status", "--json"))
    assert (found["address"], found["source"]) == (None, None)


def test_a_key_in_plain_text_of_another_program_is_told_of_and_not_used(
    desk: Desk, folder: Path
) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"privateKey": BOB_KEY, "network": "mainnet"}))
    result = desk.run("status")
    assert "holds a private key in plain text" in result.stderr
    assert (BOB_KEY in result.output, "none" in result.stdout) == (False, True)


def test_logging_out_asks_first(desk: Desk, kept: Path) -> None:
    assert desk.run("logout").exit_code == 2
    declined = desk.run("logout", typed="n\n")
    assert (declined.exit_code, kept.exists()) == (1, True)
    assert "Without a copy its funds are lost." in declined.stderr
    assert desk.run("logout", typed="y\n").stdout == f"Deleted the key of {ALICE.address}\n"
    assert not kept.exists()
    again = desk.run("logout", "--json", "--yes")
    assert (again.exit_code, json_of(again)["address"]) == (0, None)


def test_the_network_is_chosen_once_and_the_key_stays(
    desk: Desk, kept: Path, folder: Path, tmp_path: Path
) -> None:
    before = kept.read_bytes()
    (folder / "config.json").write_text(json.dumps({"privateKey": BOB_KEY, "other": [1]}))
    result = desk.run("setup-network", "devnet", "--rpc", "http://127.0.0.2:9")
    assert result.stdout == "Commands use Devnet (devnet) from now on\n"
    content = json.loads((folder / "config.json").read_text())
    assert (content["privateKey"], content["other"]) == (BOB_KEY, [1])
    assert (kept.read_bytes(), mode(folder / "config.json")) == (before, 0o600)

    def shown(*arguments: str, **env: str) -> tuple[str, list[str]]:
        found = json_of(desk.run("show-network", "--json", *arguments, **env))
        return found["network"], found["rpc_hosts"]

    assert shown() == ("devnet", ["127.0.0.2"])
    assert shown("--network", "testnet") == ("testnet", ["evmrpc-testnet.0g.ai"])
    assert shown(ZG_NETWORK="mainnet") == ("mainnet", ["evmrpc.0g.ai"])
    assert shown("--rpc", "http://127.0.0.3:8") == ("devnet", ["127.0.0.3"])
    assert json_of(desk.run("setup-network", "--json", "mainnet")) == {
        "network": "mainnet",
        "chain_id": 16661,
    }
    assert shown() == ("mainnet", ["evmrpc.0g.ai"]), "the RPC node was the other network's"


def test_a_network_of_ones_own_is_chosen_with_its_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "networks.toml"
    file.write_text(
        '[mine]\nname = "Mine"\nchain_id = 5\nrpc_urls = ["http://127.0.0.1:7"]\n'
        f'ledger = "{ALICE.address}"\n'
    )
    assert desk.run("setup-network", "mine", "--networks-file", str(file)).exit_code == 0
    assert json_of(desk.run("status", "--json"))["chain_id"] == 5
    assert desk.run("setup-network", "nowhere").exit_code == 2
    assert desk.run("setup-network", "devnet", "--rpc", "ftp://x").exit_code == 2


def test_damaged_settings_are_named(desk: Desk, folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{")
    result = desk.run("show-network")
    assert (result.exit_code, "config.json is not a JSON object" in result.stderr) == (2, True)
    assert desk.run("show-network", "--help").exit_code == 0


def test_the_saved_key_pays_once_its_passphrase_is_given(desk: Desk, kept: Path) -> None:
    desk.fund()
    order = ("deposit", "--amount", "3", "--network", "devnet")
    paid = desk.run(*order, typed=f"y\n{PASSPHRASE}\n")
    assert paid.exit_code == 0
    assert "Saved" not in paid.stdout
    assert desk.run(*order, "--yes", ZG_KEYSTORE_PASSWORD=PASSPHRASE).exit_code == 0
    wrong = desk.run(*order, "--yes", ZG_KEYSTORE_PASSWORD="wrong words")
    assert (wrong.exit_code, "does not open" in wrong.stderr) == (2, True)
    assert "wrong words" not in wrong.output
    unasked = desk.run(*order, "--yes")
    assert (unasked.exit_code, "ZG_KEYSTORE_PASSWORD" in unasked.stderr) == (2, True)


def test_the_variable_goes_before_the_saved_key(desk: Desk, kept: Path) -> None:
    found = json_of(desk.look("get-account", "--json", ZG_PRIVATE_KEY=BOB_KEY))
    assert found["address"] == BOB
    assert json_of(desk.look("get-account", "--json", ZG_PRIVATE_KEY=""))["address"] == (
        ALICE.address
    )


@pytest.mark.parametrize("name", ["get-account", "retrieve-fund", "inference usage --provider 0x"])
def test_without_a_key_a_command_says_where_to_put_one(desk: Desk, name: str) -> None:
    result = desk.run(*name.split(), "--network", "devnet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "0g-compute-cli login. Or set ZG_PRIVATE_KEY." in result.stderr


def test_no_traceback_or_log_shows_a_key(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    import logging
    import traceback

    caplog.set_level(logging.DEBUG)
    desk.fund()
    desk.chain.send = None  # type: ignore[assignment, method-assign]  # a fault of our own
    failed = desk.pay("deposit", "--amount", "3")
    assert failed.exc_info is not None
    shown = "".join(traceback.format_exception(*failed.exc_info, chain=True))
    assert "TypeError" in shown
    for text in (shown, caplog.text, failed.output):
        assert ALICE_KEY[2:] not in text
    invalid = desk.pay("deposit", "--amount", "3", ZG_PRIVATE_KEY="zz" + BOB_KEY)
    assert (invalid.exit_code, BOB_KEY in invalid.output) == (2, False)


def test_at_a_real_terminal_neither_key_nor_passphrase_is_echoed(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "zgcompute", "login"],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    answers = [BOB_KEY, PASSPHRASE, PASSPHRASE]
    try:
        while True:
            seen += os.read(ours, 4096)
            if answers and seen.count(b": ") > 3 - len(answers):
                os.write(ours, answers.pop(0).encode() + b"\n")
    except OSError:  # the other end is closed: it has ended
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert f"Saved the key of {BOB}".encode() in seen
    assert BOB_KEY.encode() not in seen
    assert PASSPHRASE.encode() not in seen
