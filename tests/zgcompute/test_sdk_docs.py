"""Every example in docs/sdk, run as it stands there, with the results that stand there."""

from __future__ import annotations

import doctest
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.test_provider_contract import wav
from zgcompute import Broker, LocalSigner, amounts
from zgcompute._fake_media import tiny_png

if TYPE_CHECKING:
    from devnet.testing import Devnet

PAGES = sorted((Path(__file__).parents[2] / "docs" / "sdk").glob("*.md"))
REAL_NETWORK = 'network="testnet"'
MAKES_ITS_OWN_LEDGER = "ledger.md"


def funded(devnet: Devnet, page: str) -> str:
    """The key of a new wallet with funds: locked with all providers, but where a page does it."""
    from devnet.node import Node

    key = "0x" + secrets.token_hex(32)
    signer = LocalSigner(key)
    Node(devnet.rpc_url).call("anvil_setBalance", signer.address, hex(amounts.parse("100")))
    if page == MAKES_ITS_OWN_LEDGER:
        return key
    with Broker(devnet.network, signer=signer) as broker:
        broker.ledger.deposit(amounts.parse("40"))
        kinds = ("chatbot", "text-to-image", "image-editing", "speech-to-text")
        for kind in kinds:
            service = broker.services.list(kind)[0]
            broker.ledger.transfer(service.provider, amounts.parse("3"))
    return key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_is_without_an_example(page: Path) -> None:
    assert ">>>" in page.read_text("utf-8")


@pytest.mark.chain
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_do_what_they_say(
    page: Path, devnet: Devnet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZG_PRIVATE_KEY", funded(devnet, page.name))
    monkeypatch.chdir(tmp_path)
    Path("picture.png").write_bytes(tiny_png("mine"))
    Path("meeting.wav").write_bytes(wav(3.0))
    text = page.read_text("utf-8").replace("```python\n", "\n").replace("\n```", "\n\n")
    text = text.replace(REAL_NETWORK, "network=network")
    names: dict[str, Any] = {"network": devnet.network}
    test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), 0)
    said: list[str] = []
    failed = doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    for name in ("broker", "reader"):
        if name in test.globs:
            test.globs[name].close()
    assert failed.attempted > 0
    assert failed.failed == 0, "".join(said)
