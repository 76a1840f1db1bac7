"""OpenAI's JavaScript client, unmodified, where node and npm are on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from devnet.testing import Devnet
from tests.zgcompute.serving.servers import PAID, Payer
from tests.zgcompute.serving.test_serving_openai import recording

pytestmark = pytest.mark.chain
SCRIPT = Path(__file__).with_name("openai_client.mjs")


def test_the_javascript_client_works_unmodified(
    javascript: Path, alice: Payer, devnet: Devnet
) -> None:
    providers = [word for p in PAID for word in ("--add-provider", devnet.address(p))]
    locked = ("serve", "--provider", devnet.address("aurora"))
    with (
        alice.serving("router-serve", *providers) as served,
        alice.serving(*locked, ZG_SERVE_KEY="a-key-of-sixteen-or-more") as strict,
    ):
        sound = base64.b64encode(recording()).decode()
        ended = subprocess.run(
            ["node", str(SCRIPT), served.url, strict.url, sound],
            cwd=javascript,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert {"devnet-chat", "devnet-painter", "devnet-editor"} <= set(found["models"])
    assert (bool(found["answer"]), found["verification"]) == (True, "verified")
    assert "Hello" in found["stream"]
    assert base64.b64decode(found["picture"]).startswith(b"\x89PNG")
    assert found["edited"] == 1
    assert "devnet text" in found["transcript"]
    assert found["unknown"] == ["NotFoundError", 404, "model_not_found"]
    assert found["stranger"] == ["AuthenticationError", 401, "invalid_api_key"]
