"""What `serve` adds to the streams of a provider: first byte, chunks and CPU, side by side.

Also against LiteLLM's proxy where it can be imported, and against the official client's `serve`
where it is installed (npm install --prefix var/official @0gfoundation/0g-compute-ts-sdk). Rounds
of all of them alternate in one run on one devnet, so that they share the machine's moods.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from devnet import accounts
from devnet.testing import Devnet
from tests.bench.processes import cpu_seconds
from tests.site_fixture import free_port
from tests.zgcompute.serving.servers import Payer, announced
from zgcompute import Broker, LocalSigner, amounts

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = ROOT / "var" / "official" / "node_modules" / ".bin" / "0g-compute-cli"
PROVIDER = "aurora"
TOKENS_PER_SECOND, TOKENS = 20.0, 80
ROUNDS = {1: 9, 50: 3, 200: 3}
MOST_TIMES, MOST_MORE_MS = 3.0, 20.0  # the limit at the largest count: direct * 3 + 20 ms
MEMORY_REQUESTS, MOST_GROWTH_MB = 10_000, 24.0
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@dataclass
class Way:
    """One way to the provider: a base URL with its key, and the process in between."""

    name: str
    url: str
    key: str
    process: int | None = None
    first_bytes: dict[int, list[float]] = field(default_factory=dict)  # ms, by streams at once
    durations: dict[int, list[float]] = field(default_factory=dict)  # ms from first to last byte
    chunks: dict[int, list[int]] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)  # seconds
    wall: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        if self.process is None:
            return 0.0
        return cpu_seconds(self.process)

    def memory_mb(self) -> float:
        return int(Path(f"/proc/{self.process}/statm").read_text().split()[1]) * _PAGE_MB


def main() -> int:
    """Print a line per way and count of streams; return 1 where the limit is exceeded."""
    options = argparse.ArgumentParser(prog="bin/bench proxy")
    options.add_argument("--streams", type=int, nargs="*", default=sorted(ROUNDS))
    options.add_argument("--memory", type=int, default=MEMORY_REQUESTS, metavar="REQUESTS")
    asked = options.parse_args()
    with ExitStack() as stack:
        devnet = stack.enter_context(Devnet(tokens_per_second=TOKENS_PER_SECOND))
        ways = _ways(stack, devnet)
        for streams in asked.streams:
            for _ in range(ROUNDS.get(streams, 3)):
                for way in ways:
                    asyncio.run(_round(way, streams))
                    devnet.settle(PROVIDER)  # a long book of fees would slow the provider down
        exceeded = _report(ways, asked.streams)
        if asked.memory:
            exceeded += asyncio.run(_memory(ways[1], asked.memory, devnet))
    print("exceeded by: " + (", ".join(exceeded) or "none"))
    return 1 if exceeded else 0


def _ways(stack: ExitStack, devnet: Devnet) -> list[Way]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    devnet.options(PROVIDER, first_token_seconds=0.0)
    wallet = accounts.account(accounts.FIRST_TEST_WALLET)
    broker = Broker(devnet.network, signer=LocalSigner(wallet.private_key))
    service = broker.services.get(devnet.address(PROVIDER))
    broker.ledger.deposit(amounts.parse("2000"))
    broker.ledger.transfer(service.provider, amounts.parse("1000"))
    key = broker.inference.session(service.provider).api_key
    direct = Way("the provider itself", service.proxy_url, key)
    ways = [direct, stack.enter_context(_ours(devnet, wallet.private_key, folder))]
    if importlib.util.find_spec("litellm"):
        ways.append(stack.enter_context(_litellm(direct, service.model, folder)))
    else:
        print("LiteLLM is not installed; it is left out.")
    if OFFICIAL.exists() and shutil.which("node"):
        ways.append(stack.enter_context(_official(devnet, wallet.private_key, folder)))
    else:
        print(f"The official client is not in {OFFICIAL.parent}; it is left out.")
    broker.close()
    return ways


@contextmanager
def _ours(devnet: Devnet, private_key: str, folder: Path) -> Iterator[Way]:
    payer = Payer(devnet, private_key, folder)
    address = devnet.address(PROVIDER)
    command = payer.command("serve", "--provider", address, "--port", "0", "--json")
    with _running(command, payer.variables, folder / "serve.log", subprocess.PIPE) as process:
        url = announced(process, folder / "serve.log")["url"]
        yield Way("through serve", url, "none", process.pid)


@contextmanager
def _litellm(direct: Way, model: str, folder: Path) -> Iterator[Way]:
    port = free_port()
    parameters = {"model": f"openai/{model}", "api_base": direct.url, "api_key": direct.key}
    settings = {"model_list": [{"model_name": model, "litellm_params": parameters}]}
    (folder / "litellm.yaml").write_text(json.dumps(settings))
    binary = str(Path(sys.executable).parent / "litellm")
    command = [binary, "--config", str(folder / "litellm.yaml"), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--telemetry", "False"]
    with _running(command, {}, folder / "litellm.log") as process:
        _until_open(f"http://127.0.0.1:{port}/health/liveliness")
        yield Way("through LiteLLM", f"http://127.0.0.1:{port}/v1", "none", process.pid)


@contextmanager
def _official(devnet: Devnet, private_key: str, folder: Path) -> Iterator[Way]:
    port, home = free_port(), folder / "home"
    (home / ".0g-compute-cli").mkdir(parents=True)
    config = {"privateKey": private_key, "rpcEndpoint": devnet.rpc_url}
    (home / ".0g-compute-cli" / "config.json").write_text(json.dumps(config))
    command = [str(OFFICIAL), "inference", "serve", "--provider", devnet.address(PROVIDER)]
    command += ["--port", str(port), "--host", "127.0.0.1"]
    environment = {"HOME": str(home), "ZG_RPC_ENDPOINT": devnet.rpc_url}
    with _running(command, environment, folder / "official.log") as process:
        _until_open(f"http://127.0.0.1:{port}/")
        yield Way("through the official serve", f"http://127.0.0.1:{port}/v1", "x", process.pid)


@contextmanager
def _running(
    command: list[str], variables: dict[str, str], log: Path, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=stdout or errors,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _until_open(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"Nothing answers at {url}.")


async def _round(way: Way, streams: int) -> None:
    """`streams` answers at once; the connections are opened before the clock starts."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        cpu, began = way.cpu_seconds(), time.perf_counter()
        answers = await asyncio.gather(*(_stream(session, way) for _ in range(streams)))
        way.wall[streams] = way.wall.get(streams, 0.0) + time.perf_counter() - began
        way.cpu[streams] = way.cpu.get(streams, 0.0) + way.cpu_seconds() - cpu
    for first_byte, duration, chunks in answers:
        way.first_bytes.setdefault(streams, []).append(first_byte)
        way.durations.setdefault(streams, []).append(duration)
        way.chunks.setdefault(streams, []).append(chunks)


async def _stream(session: aiohttp.ClientSession, way: Way) -> tuple[float, float, int]:
    """Milliseconds to the first byte, from it to the last event, and how many events came."""
    began = time.perf_counter()
    headers = {"authorization": f"Bearer {way.key}"}
    events, first, last = 0, 0.0, 0.0
    url = f"{way.url}/chat/completions"
    async with session.post(url, json=_question(), headers=headers) as reply:
        assert reply.status == 200, await reply.text()
        async for chunk in reply.content.iter_any():
            first = first or time.perf_counter()
            events += chunk.count(b"data:")
            if not last and b"[DONE]" in chunk:  # what serve adds after it is its own check
                last = time.perf_counter()
    assert events >= TOKENS, events
    return (first - began) * 1e3, (last - first) * 1e3, events


def _question() -> dict[str, Any]:
    return {
        "model": "devnet-chat",
        "stream": True,
        "max_tokens": TOKENS,
        "messages": [{"role": "user", "content": "Tell me something long"}],
    }


def _report(ways: list[Way], counts: list[int]) -> list[str]:
    head = f"{'streams':>7}  {'way':<28}{'first byte ms':>14}{'p95':>8}{'added':>8}{'times':>7}"
    print(f"{head}{'added/chunk ms':>16}{'chunks/s':>10}{'CPU s':>8}{'CPU %':>7}")
    exceeded = []
    direct = ways[0]
    for count in counts:
        base = statistics.median(direct.first_bytes[count])
        for way in ways:
            median = statistics.median(way.first_bytes[count])
            p95 = sorted(way.first_bytes[count])[int(0.95 * (len(way.first_bytes[count]) - 1))]
            slower = statistics.mean(way.durations[count]) - statistics.mean(
                direct.durations[count]
            )
            chunks = sum(way.chunks[count])
            print(
                f"{count:>7}  {way.name:<28}{median:>14.1f}{p95:>8.1f}{median - base:>8.1f}"
                f"{median / base:>7.2f}{slower / statistics.mean(way.chunks[count]):>16.3f}"
                f"{chunks / way.wall[count]:>10.0f}{way.cpu[count]:>8.2f}"
                f"{100 * way.cpu[count] / way.wall[count]:>7.0f}"
            )
            is_over = median > MOST_TIMES * base + MOST_MORE_MS
            if way is ways[1] and count == max(counts) and is_over:
                exceeded.append(f"first byte with {count} streams")
    return exceeded


async def _memory(way: Way, requests: int, devnet: Devnet) -> list[str]:
    """Memory of `serve` after a warm-up of a tenth, and after all requests."""
    connector = aiohttp.TCPConnector(limit=0)
    question = _question() | {"stream": False, "max_tokens": 1}
    left = iter(range(requests))
    headers = {"authorization": f"Bearer {way.key}"}
    marks = []
    await asyncio.to_thread(devnet.options, PROVIDER, tokens_per_second=0.0)

    async def settle() -> None:
        while True:
            await asyncio.to_thread(devnet.settle, PROVIDER)
            await asyncio.sleep(1)

    async def work(session: aiohttp.ClientSession) -> None:
        for number in left:
            if number == requests // 10:
                marks.append(way.memory_mb())
            url = f"{way.url}/chat/completions"
            async with session.post(url, json=question, headers=headers) as reply:
                assert reply.status == 200, await reply.text()
                await reply.read()

    async with aiohttp.ClientSession(connector=connector) as session:
        began, settling = time.perf_counter(), asyncio.create_task(settle())
        await asyncio.gather(*(work(session) for _ in range(50)))
        spent = time.perf_counter() - began
        settling.cancel()
    marks.append(way.memory_mb())
    growth = marks[1] - marks[0]
    print(
        f"{requests:,} whole answers, 50 at once: {requests / spent:.0f}/s; memory {marks[0]:.1f} "
        f"MB after a tenth of them, {marks[1]:.1f} MB after all ({growth:+.1f}, limit "
        f"{MOST_GROWTH_MB:.0f})"
    )
    return ["memory"] if growth > MOST_GROWTH_MB else []


if __name__ == "__main__":
    sys.exit(main())
