"""What a long answer costs the page that shows it: main thread, DOM, bytes, and the site's CPU."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from devnet.testing import Devnet
from tests.bench.processes import cpu_seconds
from tests.browser.chromium import launch
from tests.browser.person import CHAIN_MS, Person
from tests.site_fixture import Site, running_site

TOKENS = 10_000
SPEED = 400.0  # tokens a second
MODEL = "cumulus"  # it reasons before it answers, and takes long answers
STREAM_SECONDS = 240
LONGEST_TASK = 100.0  # ms of the page's main thread
MOST_GROWTH = 1.5  # DOM work per chunk: the last tenth of an answer over its first
PLACES = (0, 5, 9)  # of the tenths
PROBE = Path(__file__).with_name("chat_probe.js").read_text()
ENDINGS = ("ended", "answer")
COUNTED = {
    "DOM nodes touched": "nodes",
    "DOM characters": "characters",
    "bytes of events": "bytes",
    "script ms": "script",
}
TIMES = {  # what Chromium calls it; the site's are those of all its processes
    "main thread ms": "TaskDuration",
    "of these layout": "LayoutDuration",
    "of these style": "RecalcStyleDuration",
    "site CPU ms": "",
}
RUNS = (("mix", 1), ("mix", 4), ("paragraph", 4), ("code", 4), ("table", 4), ("list", 4))


@dataclass(frozen=True)
class Streamed:
    """An answer that has come, as the page and the site have borne it."""

    chunks: list[dict[str, Any]]  # of chat_probe.js
    tasks: list[dict[str, Any]]  # each over 50 ms, from the first chunk on
    times: dict[str, list[float]]  # ms per chunk by tenth, of each of TIMES
    heap_mb: float
    reload_tasks: list[float]


def main() -> int:
    """Print each answer's figures; return 1 where one exceeds a limit."""
    print(f"load average {os.getloadavg()[0]:.2f}; answers of {TOKENS:,} tokens at {SPEED:.0f}/s")
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet(tokens_per_second=SPEED) as devnet,
        running_site(devnet, Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        with _ready(browser, site, devnet) as page:
            problems = [
                problem
                for kind, throttle in _runs()
                for problem in _report(kind, throttle, _streamed(page, site, kind, throttle))
            ]
        browser.close()
    for problem in problems:
        print(f"not met: {problem}")
    return 1 if problems else 0


def _runs() -> list[tuple[str, int]]:
    wanted = sys.argv[1:]
    return [run for run in RUNS if not wanted or run[0] in wanted]


@contextmanager
def _ready(browser: Browser, site: Site, devnet: Devnet) -> Iterator[Page]:
    """The page of somebody who can write to MODEL."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    person = Person.new(context, site, devnet)
    page = person.page
    page.add_init_script(PROBE)
    person.visit(f"chat/?provider={devnet.address(MODEL)}")
    person.sign_in()
    person.get_ready_to_chat()
    yield page
    context.close()


def _streamed(page: Page, site: Site, kind: str, throttle: int) -> Streamed:
    """Ask on a new page for an answer of this kind, and watch it come."""
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_label("Your message")).to_be_visible(timeout=CHAIN_MS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": throttle})
    page.get_by_label("Your message").fill(f"Write {TOKENS} tokens of a {kind}")
    page.get_by_label("Your message").press("Enter")
    page.wait_for_url("**/chat/*-*/")
    samples = _samples(page, session, site)
    session.send("HeapProfiler.collectGarbage")
    page.wait_for_timeout(1000)
    chunks, tasks = page.evaluate("[probe.chunks, probe.tasks]")
    heap = _metrics(session)["JSHeapUsedSize"]
    page.reload(wait_until="load")
    page.wait_for_timeout(1000)
    reload_tasks = page.evaluate("probe.tasks.map((task) => task.duration)")
    session.detach()
    return Streamed(
        chunks=chunks,
        tasks=[task for task in tasks if task["startTime"] >= chunks[0]["at"]],
        times={label: _by_tenth(samples, label) for label in TIMES},
        heap_mb=heap / 1024**2,
        reload_tasks=reload_tasks,
    )


def _samples(page: Page, session: CDPSession, site: Site) -> list[dict[str, float]]:
    """Chunks so far, and the milliseconds of TIMES: twice a second to the end."""
    samples = []
    deadline = time.monotonic() + STREAM_SECONDS
    while time.monotonic() < deadline:
        chunks, is_over = page.evaluate(
            "[probe.chunks.length, probe.chunks.at(-1)?.name === 'done']"
        )
        metrics = _metrics(session) | {"": cpu_seconds(site.process.pid)}
        times = {label: metrics[name] * 1000 for label, name in TIMES.items()}
        samples.append({"chunks": chunks, **times})
        if is_over:
            return samples
        page.wait_for_timeout(500)
    raise AssertionError(f"The answer did not end in {STREAM_SECONDS} s.")


def _metrics(session: CDPSession) -> dict[str, float]:
    listed = session.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in listed}


def _by_tenth(samples: list[dict[str, float]], what: str) -> list[float]:
    """What one chunk took, between the samples nearest to each tenth of the chunks."""
    total = samples[-1]["chunks"]
    bounds = [
        min(samples, key=lambda sample: abs(sample["chunks"] - total * tenth / 10))
        for tenth in range(11)
    ]
    pairs = zip(bounds, bounds[1:], strict=False)
    return [
        (end[what] - start[what]) / max(1, end["chunks"] - start["chunks"]) for start, end in pairs
    ]


def _report(kind: str, throttle: int, seen: Streamed) -> list[str]:
    """Print one answer's figures and return the limits that it exceeds."""
    tasks = [task["duration"] for task in seen.tasks]
    tenths = _tenths(_growing(kind, seen))
    seconds = (seen.chunks[-1]["at"] - seen.chunks[0]["at"]) / 1000
    ending = [chunk for chunk in seen.chunks if chunk["name"] in ENDINGS]
    kilobytes = sum(chunk["bytes"] for chunk in seen.chunks) / 1024
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = ": too busy for its times to mean much" if load > cores + 2 else ""
    print(f"\n{kind}, CPU slowed {throttle} times; load average {load:.2f} of {cores} cores{busy}")
    print(f"  {len(seen.chunks)} chunks in {seconds:.1f} s, {kilobytes:.0f} KB of events")
    print(
        f"  longest task {max(tasks, default=0):.0f} ms{_where(seen)}; "
        f"over 50 ms: {_over(tasks, 50)}, over 100 ms: {_over(tasks, 100)}"
    )
    print(f"  reload at the end: longest task {max(seen.reload_tasks, default=0):.0f} ms")
    heap, nodes, characters = seen.heap_mb, _total(ending, "nodes"), _total(ending, "characters")
    print(
        f"  JS heap at the end: {heap:.1f} MB; the end touched {nodes} nodes, {characters} letters"
    )
    print(f"  {'per chunk, by tenth':<22}{'first':>9}{'middle':>9}{'last':>9}")
    for label, what in COUNTED.items():
        _print_row(label, [_mean(tenth, what) for tenth in tenths])
    for label, values in seen.times.items():
        _print_row(label, values)
    return [f"{kind}, {throttle}x: {problem}" for problem in _problems(seen, tasks, tenths)]


def _growing(kind: str, seen: Streamed) -> list[dict[str, Any]]:
    """The chunks of the answer's text; of a single block without its end, which formats it."""
    shown = [chunk for chunk in seen.chunks if chunk["name"] in ("text", "grown", *ENDINGS)]
    return [chunk for chunk in shown if kind == "mix" or chunk["name"] not in ENDINGS]


def _problems(
    seen: Streamed, tasks: list[float], tenths: list[list[dict[str, Any]]]
) -> Iterator[str]:
    for what in ("nodes", "characters"):
        growth = _mean(tenths[-1], what) / max(1.0, _mean(tenths[0], what))
        if growth > MOST_GROWTH:
            yield f"{what} per chunk grew {growth:.1f} times"
    for when, durations in (("while it came", tasks), ("on reload", seen.reload_tasks)):
        if _over(durations, LONGEST_TASK):
            yield f"a task of {max(durations):.0f} ms {when}"


def _where(seen: Streamed) -> str:
    """With which chunk the longest task began."""
    if not seen.tasks:
        return ""
    longest = max(seen.tasks, key=lambda task: task["duration"])
    before = [chunk for chunk in seen.chunks if chunk["at"] <= longest["startTime"] + 1]
    return f" (with chunk {len(before)}: {before[-1]['name']})"


def _tenths(chunks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    bounds = [len(chunks) * tenth // 10 for tenth in range(11)]
    return [chunks[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _mean(chunks: list[dict[str, Any]], what: str) -> float:
    return sum(chunk[what] for chunk in chunks) / max(1, len(chunks))


def _total(chunks: list[dict[str, Any]], what: str) -> int:
    return int(sum(chunk[what] for chunk in chunks))


def _print_row(label: str, tenths: list[float]) -> None:
    print(f"  {label:<22}" + "".join(f"{tenths[place]:>9.1f}" for place in PLACES))


def _over(tasks: list[float], limit: float) -> int:
    return sum(task > limit for task in tasks)


if __name__ == "__main__":
    sys.exit(main())
