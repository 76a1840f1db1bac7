"""Start everything on one machine: devnet, database, worker, site. Ctrl-C stops it all."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import webbrowser
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 8
RESTART_SECONDS = 5  # between two starts of a worker that keeps ending
DEVNET_PORT = 8600  # its control port, which answers when everything else of it does


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the flags, start the parts in order, and stay until one ends or somebody stops us."""
    options = _options(arguments)
    environment = _environment(options)
    _refuse_taken_port(options.port)
    parts = Parts(environment)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, _raise_interrupt)
    try:
        _start(parts, options)
        return parts.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        parts.stop()


@dataclass
class Part:
    """One process of the running product, with what it takes to start it again."""

    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)

    @property
    def code(self) -> int | None:
        return self.process.poll()


class Parts:
    """The processes that make up the running product; they end with the site."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: dict[str, Part] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._running

    def together(self, *commands: Sequence[str]) -> None:
        """Run steps that do not need one another, to their end, at the same time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._once, commands))

    def start(self, name: str, *command: str) -> None:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *command],
            cwd=ROOT,
            env=self._environment,
            stdout=sys.stderr,  # ours says where the site is, and nothing else
            start_new_session=True,
        )
        self._running[name] = Part(command, process)

    def wait_for(self, name: str, port: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not _answers(port):
            if self._running[name].code is not None:
                raise SystemExit(f"The {name} did not start; see above.")
            if time.monotonic() > deadline:
                raise SystemExit(f"The {name} did not answer on port {port} in {seconds:.0f} s.")
            time.sleep(0.1)

    def wait(self) -> int:
        """Stay as long as the site does; a worker that ends is started again."""
        while (code := self._running["site"].code) is None:
            for name in tuple(self._running):
                self._mend(name)
            time.sleep(0.3)
        _say(f"The site stopped with code {code}; stopping the rest.")
        return code or 1

    def stop(self) -> None:
        processes = [part.process for part in reversed(self._running.values())]
        for process in processes:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()

    def _once(self, command: Sequence[str]) -> None:
        """Run a step to its end; a failure stops the start with its output shown."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, *command],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            sys.stderr.buffer.write(done.stdout)
            raise SystemExit(f"{' '.join(command[:2])} failed; see above.")

    def _mend(self, name: str) -> None:
        part = self._running[name]
        if part.code is None or name == "site":
            return
        if name == "devnet":
            del self._running[name]
            _say(f"The devnet stopped with code {part.code}; the site goes on without it.")
            _say("Start it again beside the site: .venv/bin/python -m devnet")
        elif time.monotonic() - part.started_at > RESTART_SECONDS:
            _say(f"The {name} stopped with code {part.code}; starting it again.")
            self.start(name, *part.command)


def _start(parts: Parts, options: argparse.Namespace) -> None:
    wants_devnet = "devnet" in options.networks.split(",") and not options.no_devnet
    runs_already = wants_devnet and _answers(DEVNET_PORT)
    if options.fresh and runs_already:
        raise SystemExit("A devnet runs already: stop it before it can be forgotten.")
    if options.fresh:
        _say("Forgetting the devnet's chain and the site's database")
        _forget()
    if runs_already:
        _say("Using the devnet that runs already")
    elif wants_devnet:
        _say("Starting the devnet: an EVM node, the contracts and test providers")
        parts.start("devnet", "-m", "devnet", *(["--fresh"] if options.fresh else []))
    _say("Preparing the database and the static files")
    parts.together(
        ("manage.py", "migrate", "--verbosity", "0"),
        ("manage.py", "collectstatic", "--noinput", "--verbosity", "0"),
    )
    if "devnet" in parts:
        parts.wait_for("devnet", DEVNET_PORT, 120)
    _say("Starting the worker and the site")
    parts.start(
        "worker",
        *("-m", "celery", "--quiet", "-A", "config", "worker", "--beat", "--pool", "threads"),
        *("--concurrency", "4", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
        *("--schedule", str(_var_dir() / "timetable")),
    )
    parts.start(
        "site",
        *("-m", "uvicorn", "config.asgi:application", "--host", options.host),
        *("--port", str(options.port), "--log-level", "warning", "--no-server-header"),
        *("--timeout-graceful-shutdown", "5", "--workers", os.environ.get("WEB_WORKERS", "1")),
    )
    parts.wait_for("site", options.port, 60)
    _announce(f"http://localhost:{options.port}", options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/run", description=__doc__)
    parser.add_argument(
        "--networks",
        default=os.environ.get("NETWORKS", "devnet"),
        help="networks to serve, the default one first (devnet, testnet, mainnet, or your own)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3090)
    parser.add_argument("--fresh", action="store_true", help="forget the devnet and the database")
    parser.add_argument("--no-devnet", action="store_true", help="use a devnet already running")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument("--json", action="store_true", help="say where it is as a line of JSON")
    return parser.parse_args(arguments)


def _announce(url: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"url": url, "networks": options.networks.split(",")}), flush=True)
    else:
        print(f"\n  0G Compute is at {url}   (Ctrl-C stops everything)\n", flush=True)
    if options.open:
        webbrowser.open(url)


def _environment(options: argparse.Namespace) -> dict[str, str]:
    return os.environ | {
        "NETWORKS": options.networks,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
    }


def _refuse_taken_port(port: int) -> None:
    if _answers(port):
        other = f"--port {port + 1}"
        raise SystemExit(f"Port {port} is taken. Stop what listens there, or choose: {other}")


def _forget() -> None:
    """Remove the database together with the chain that it mirrors: neither fits a new other."""
    for path in _var_dir().glob("site.sqlite3*"):
        path.unlink()
    shutil.rmtree(_var_dir() / "files", ignore_errors=True)  # of works that it knew


def _var_dir() -> Path:
    return Path(os.environ.get("VAR_DIR", ROOT / "var"))


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.3):
        return True
    return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _raise_interrupt(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
