from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import json, sys
before = sys.getrecursionlimit()
from zgcompute import signers
signers.LocalSigner("0x" + "11" * 32).sign_message(b"x")
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


TWO_THREADS = """
import sys, threading
from zgcompute._recursion import kept_recursion_limit
before = sys.getrecursionlimit()
raised, go_on = threading.Event(), threading.Event()

def importing():
    with kept_recursion_limit():
        sys.setrecursionlimit(100_000)
        raised.set()
        go_on.wait(5)

def another():
    with kept_recursion_limit():
        pass

first, second = threading.Thread(target=importing), threading.Thread(target=another)
first.start()
raised.wait(5)
second.start()
go_on.set()
first.join()
second.join()
print(sys.getrecursionlimit() == before)
"""
FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from zgcompute import _recursion
_recursion._importing.acquire()
if (child := os.fork()) == 0:
    with _recursion.kept_recursion_limit():
        os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_hostile_json_cannot_end_a_process_that_signs() -> None:
    assert _run(PROGRAM.format(more="")) == "survived"


def test_two_threads_that_import_at_once_keep_the_limit_too() -> None:
    assert _run(TWO_THREADS) == "True"


def test_a_fork_while_another_thread_imports_leaves_no_lock_behind() -> None:
    assert _run(FORKED) == "0"


def test_nor_one_that_sends_transactions() -> None:
    assert _run(PROGRAM.format(more=READ_THE_CHAIN)) == "survived"


def _run(program: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
    )
    return finished.stdout.decode().strip()
