from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import json, sys
before = sys.getrecursionlimit()
from zgcompute import session, signers
signer = signers.LocalSigner("0x" + "11" * 32)
assert session.recover_message_signer(b"x", signer.sign_message(b"x")) == signer.address
{more}
assert "py_ecc" in sys.modules
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
try:
    json.loads("[" * 200_000)
except RecursionError:
    print("survived")
"""
READ_THE_CHAIN = """
from zgcompute import _chain
_chain._web3(None)
"""


def test_hostile_json_cannot_end_a_process_that_signs_and_recovers() -> None:
    assert _run(PROGRAM.format(more="")) == "survived"


def test_nor_one_that_sends_transactions() -> None:
    assert _run(PROGRAM.format(more=READ_THE_CHAIN)) == "survived"


def _run(program: str) -> str:
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return finished.stdout.decode().strip()
