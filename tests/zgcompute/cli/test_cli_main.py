from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from tests.zgcompute.cli.desk import Desk
from zgcompute import __version__, errors
from zgcompute.cli.failures import FAILED, NOT_VERIFIED, REFUSED, UNREACHABLE, USAGE, status_of
from zgcompute.cli.main import command, main

ROOT = Path(__file__).parents[3]
STATUSES = {
    USAGE: "AmountError ConfigurationError InvalidAddress InvalidBody InvalidToken UnknownNetwork",
    UNREACHABLE: "RpcUnreachable TransactionUncertain ProviderUnreachable ProviderTimeout",
    REFUSED: "RpcRefused TransactionReverted LedgerError LedgerMissing SubAccountMissing"
    " ServiceMissing InsufficientBalance BelowMinimum NotAcknowledged RefundLocked LimitExceeded"
    " ProviderRefused SessionExpired SessionRevoked SessionInvalid SignerNotAcknowledged"
    " ReserveTooLow ModelNotServed RequestTooLarge RateLimited ProviderBusy UpstreamFailed"
    " SignatureNotFound",
    NOT_VERIFIED: "VerificationError SignatureMismatch QuoteInvalid",
    FAILED: "Error ChainError WrongNetwork ProviderError DestinationRefused MalformedReply"
    " ReplyTooLarge",
}


def commands(group: click.Group = command, *path: str) -> Iterator[tuple[str, ...]]:
    for name, found in group.commands.items():
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from commands(found, *path, name)


def test_every_error_has_the_status_that_is_documented() -> None:
    kinds = inspect.getmembers(errors, lambda kind: inspect.isclass(kind))
    found = {
        name: status_of(kind("x"))
        for name, kind in kinds
        if issubclass(kind, errors.Error) and kind.__module__ == errors.__name__
    }
    wanted = {name: status for status, names in STATUSES.items() for name in names.split()}
    assert found == wanted


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_every_command_explains_itself_and_every_option(path: tuple[str, ...]) -> None:
    result = Desk().run(*path, "--help")
    assert result.exit_code == 0
    found = named(path)
    assert inspect.getdoc(found.callback)
    for option in found.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
    assert "..." not in result.stdout.split("Commands:")[-1]


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_the_help_of_every_command_ends_with_an_example_that_it_takes(
    path: tuple[str, ...],
) -> None:
    explained = named(path)
    if isinstance(explained, click.Group):
        return
    usage = Desk().run(*path, "--help").stdout.split("Options:")[0]
    examples = re.findall(r"^ *0g-compute-cli (.+?)(?: >.*)?$", usage, re.MULTILINE)
    assert examples, "It has no example."
    words = shlex.split(examples[-1])
    depth = 2 if words[0] in ("inference", "ui") else 1
    assert named(words[:depth]) is explained
    context = click.Context(explained)
    taken, left, _ = explained.make_parser(context).parse_args(words[depth:])
    assert not left
    for parameter in explained.params:
        assert not parameter.required or parameter.name in taken


def named(path: Sequence[str]) -> click.Command:
    found: click.Command = command
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def test_every_command_that_answers_can_answer_in_json() -> None:
    for path in commands():
        found = named(path)
        if not isinstance(found, click.Group):
            assert "as_json" in {option.name for option in found.params}, path


def test_every_command_and_name_in_json_is_documented() -> None:
    documented = (ROOT / "docs/cli.md").read_text("utf-8")
    for path in commands():
        assert re.search(rf"`[^`\n]*\b{path[-1]}\b", documented), path


def test_no_option_takes_a_key() -> None:
    for path in commands():
        found = named(path)
        assert not [p.name for p in found.params if "key" in str(p.name)], path


def test_it_says_its_version_and_what_is_wrong() -> None:
    assert Desk().run("--version").stdout == f"0g-compute-cli, version {__version__}\n"
    assert Desk().run("nonsense").exit_code == 2
    assert Desk().run("inference", "chat").exit_code == 2


def test_main_returns_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().out.startswith("0g-compute-cli")


def test_colours_are_left_out_where_that_is_asked_for() -> None:
    def shown(**env: str) -> str:
        return Desk().ask("chat", "Hello", color=True, **env).output

    assert "\x1b[32m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["inference", "chat", "--help"], ["deposit", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; from zgcompute.cli.main import main; main({arguments!r});"
        "print([m for m in ('web3', 'httpx', 'aiohttp', 'eth_account', 'eth_keys', 'asyncio',"
        " 'cryptography', 'zgcompute.broker') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.splitlines()[-1] == "[]", run.stderr


def test_a_command_that_reads_the_chain_loads_nothing_heavy() -> None:
    code = (
        "import sys; from zgcompute.cli.main import main;"
        "code = main(['inference', 'list-providers', '--rpc', 'http://127.0.0.1:9',"
        " '--network', 'devnet']);"
        "print(code, [m for m in ('web3', 'aiohttp', 'eth_account', 'eth_abi',"
        " 'eth_utils', 'pydantic', 'cryptography', 'django')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.splitlines()[-1] == "4 []", run.stderr


def test_the_launcher_runs_in_any_folder_and_takes_no_module_from_it(tmp_path: Path) -> None:
    if not (ROOT / ".venv/.installed").exists():
        pytest.skip("The launcher is for the environment that bin/test makes")
    (tmp_path / "click.py").write_text("raise SystemExit(99)")
    (tmp_path / "zgcompute.py").write_text("raise SystemExit(99)")
    (tmp_path / "evidence.json").write_text("{}")
    link = tmp_path / "linked"
    link.symlink_to(ROOT / "bin/0g-compute-cli")
    env = {"PATH": os.environ["PATH"]}
    for launcher in (ROOT / "bin/0g-compute-cli", ROOT / ".venv/bin/0g-compute-cli", link):
        run = subprocess.run(
            [launcher, "verify-evidence", "evidence.json"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert (run.returncode, run.stdout) == (1, "")
        assert "not evidence in a known form" in run.stderr
    assert shutil.which("0g-compute-cli", path=str(ROOT / ".venv/bin"))


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    run = subprocess.run(
        f"{sys.executable} -m zgcompute --help | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in run.stderr


def test_a_file_larger_than_any_evidence_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate((64 << 20) + 1)
    result = Desk().run("verify-evidence", str(large))
    assert result.exit_code == 1
    assert "larger than any evidence" in result.stderr
