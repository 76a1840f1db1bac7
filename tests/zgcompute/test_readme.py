"""What the README promises of the SDK, run as it stands there."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zgcompute import Broker, LocalSigner, amounts

if TYPE_CHECKING:
    from devnet.testing import Devnet

README = Path(__file__).parents[2] / "README.md"
REAL_NETWORK = 'network="testnet"'


def lines_of_the_readme() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(code)


def promised(call: str) -> str:
    """The README's own words for `call`, so that they are what is run."""
    (found,) = re.findall(rf"`(broker\.ledger\.{call}\(.*?\))`", README.read_text("utf-8"))
    return str(found)


def test_the_example_has_the_five_lines_that_its_title_promises() -> None:
    assert len([line for line in lines_of_the_readme().splitlines() if line]) == 5
    assert REAL_NETWORK in lines_of_the_readme()


@pytest.mark.chain
def test_the_five_lines_give_a_verified_answer(
    devnet: Devnet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from devnet.node import Node

    key = "0x" + secrets.token_hex(32)
    signer = LocalSigner(key)
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(amounts.parse("10")))
    monkeypatch.setenv("ZG_PRIVATE_KEY", key)
    broker = Broker(devnet.network, signer=signer)
    names: dict[str, Any] = {"network": devnet.network, "broker": broker, "amounts": amounts}
    names["service"] = broker.services.list("chatbot")[0]
    exec(promised("deposit"), names)
    exec(promised("transfer"), names)
    exec(lines_of_the_readme().replace(REAL_NETWORK, "network=network"), names)
    answer = names["answer"]
    assert answer.text
    assert answer.fee.total > 0
    assert capsys.readouterr().out == f"{answer.text} {answer.fee.total} verified\n"
    names["broker"].close()
