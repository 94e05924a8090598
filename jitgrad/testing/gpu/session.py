"""Runs the parts, each in processes of its own with a time limit, and writes results as they come.

A process that ends, hangs or loses its device costs the check that it was at; the part goes on behind it in a new process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .child import FAULTED
from .device import commit, versions
from .process import Process
from .summary import summary

START_SECONDS = 90.0
"""That a process may take before it begins its first check."""
WRITE_EVERY = 0.5
SANITIZER = ["--error-exitcode", "9", "--tool"]


class Session:
    """Results, and the file that they are written to."""

    def __init__(self, out: Path, minutes: float | None, options: Sequence[str], tested: str | None = None) -> None:
        self.out, self.options = out, list(options)
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self.results: dict[str, Any] = {
            "device": None, "commit": tested or commit(), "versions": versions(), "minutes": minutes,
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "parts": {},
        }  # fmt: skip
        self._written = 0.0
        self._lock = threading.Lock()
        self.processes: set[Process] = set()
        """Those that run."""

    def left(self) -> float:
        """Seconds until the session is to be over."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def write(self, at_once: bool = True) -> None:
        if not at_once and time.monotonic() - self._written < WRITE_EVERY:
            return
        self._written = time.monotonic()
        self.results["summary"] = summary(self.results)
        beside = self.out.with_name(self.out.name + ".part")
        beside.write_text(json.dumps(self.results, indent=1) + "\n")
        beside.replace(self.out)  # whoever reads it while we write finds a whole file

    def open_device(self) -> str | None:
        """Learn what the device is; what is wrong, where it can't be used."""
        command = self._command("--describe")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS + 60, check=False)
        except subprocess.TimeoutExpired:
            return "the driver does not answer"
        if done.returncode:
            return (done.stderr.strip() or f"the process ended with {done.returncode}")[-2000:]
        self.results["device"] = json.loads(done.stdout.strip().splitlines()[-1])
        self.write()
        return None

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "jitgrad.testing.gpu", *words, *self.options]

    def run(self, name: str, share: float, patience: float, sanitized: str = "", lanes: int = 1) -> None:
        """A part, in so many processes at once; results go to `results["parts"][name]`."""
        record: dict[str, Any] = {"checks": [], "complete": False}
        self.results["parts"][name] = record
        until = time.monotonic() + share * max(0.0, self.left())
        prefix: list[str] = []
        if sanitized:
            tool = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
            prefix = [] if tool is None else [tool, *SANITIZER, sanitized]
            missing = self._refusal(prefix) if prefix else "compute-sanitizer is not on the PATH: it comes with CUDA's toolkit"
            if missing:
                record["not_run"] = missing
                print(f"{name}: not run: {missing}", flush=True)
                self.write()
                return
        print(f"{name}: {'no limit' if until == float('inf') else f'{until - time.monotonic():.0f} s'}", flush=True)
        command = [*prefix, *self._command("--part", name)]
        with ThreadPoolExecutor(lanes) as pool:
            running = [pool.submit(Lane(self, name, command, n, lanes, until, patience).run) for n in range(lanes)]
            try:
                record["complete"] = all([r.result() for r in running])
            except BaseException:  # Ctrl-C, or who ends this process
                self.deadline = 0.0
                for process in list(self.processes):
                    process.kill()
                self.write()
                raise
        record["counts"] = dict(Counter(outcome(c) for c in record["checks"]))
        self.write()
        print(f"{name}: {record['counts']}{'' if record['complete'] else ', not all'}", flush=True)

    def _refusal(self, prefix: Sequence[str]) -> str:
        """Why a tool can't watch what runs on this device, which was found to work without; "" where it can."""
        try:
            done = subprocess.run(
                [*prefix, *self._command("--describe")], capture_output=True, text=True, timeout=START_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "under compute-sanitizer the device does not answer"
        return f"the device does not work under compute-sanitizer: {(done.stdout + done.stderr)[-500:]}" if done.returncode else ""

    def add(self, name: str, check: dict[str, Any]) -> None:
        """Keep what came of a check of a part."""
        with self._lock:
            self.results["parts"][name]["checks"].append(check)
            if check["ok"] is False:
                print(f"  {name}: {check['check']}: {str(check.get('error'))[:300]}", flush=True)
            self.write(at_once=False)


def outcome(check: dict[str, Any]) -> str:
    """In a word: refused is what a program says that the library does not do on a GPU."""
    if check["ok"] is not None:
        return "passed" if check["ok"] else "failed"
    return "refused" if "refused" in check else "not run"


class Lane:
    """Every so-manyeth check of a part, in one process after another."""

    def __init__(
        self, session: Session, name: str, command: Sequence[str], first: int, step: int, until: float, patience: float
    ) -> None:
        self._session, self._name, self._command, self._next, self._step = session, name, command, first, step
        self._until, self._patience = until, patience
        self._complete = False

    def run(self) -> bool:
        """Whether all checks were tried."""
        goes_on = True
        while goes_on and time.monotonic() < self._until and self._session.left() > 0:
            process = Process([*self._command, "--from", str(self._next), "--step", str(self._step)])
            self._session.processes.add(process)
            try:
                goes_on = self._follow(process)
            finally:
                process.kill()
                self._session.processes.discard(process)
        return self._complete

    def _add(self, check: str, **outcome: Any) -> None:
        self._next += self._step
        self._session.add(self._name, {"check": check, **outcome})

    def _follow(self, process: Process) -> bool:
        """Take a process's lines until it ends; whether there is to be another one."""
        begun: str | None = None
        limit = time.monotonic() + START_SECONDS
        while True:
            line = process.line(min(limit, self._until) - time.monotonic())
            if line is None:
                break
            limit = time.monotonic() + self._patience
            if "begin" in line:
                begun = line["begin"]
            elif "check" in line:
                begun = None
                found = process.complaints()
                self._add(**(line | {"ok": False, "error": found} if found else line))
            elif "end" in line:
                self._complete = True
        code, words = process.end()
        if self._complete:
            if code:  # the sanitizer's word on all that ran, or a process that crashed as it ended
                self._add("the end of the process", ok=False, error=f"exit code {code}\n{words}")
            return False
        if time.monotonic() >= self._until:
            return False
        if begun is not None:
            why = "did not end in time" if process.stuck else f"ended its process with {code}"
            self._add(begun, ok=False, error=f"{why}\n{words}")
            return True
        if code != FAULTED:
            self._add("between checks", ok=False, error=f"the process ended with {code}\n{words}")
        return code == FAULTED
