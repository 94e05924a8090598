"""Runs the parts, each in processes of its own with a time limit, and writes results as they come.

A process that ends, hangs or loses its device costs the check that it was at; the part goes on behind it in a new process.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .child import FAULTED
from .device import commit, versions
from .summary import summary

START_SECONDS = 90.0
"""That a process may take before it begins its first check."""
WRITE_EVERY = 0.5
SANITIZER = ["--tool", "memcheck", "--error-exitcode", "9"]
_CALM = ("COMPUTE-SANITIZER", "ERROR SUMMARY: 0", "LEAK SUMMARY: 0")
"""What compute-sanitizer says where all is well."""


class Session:
    """Results, and the file that they are written to."""

    def __init__(self, out: Path, minutes: float | None, options: Sequence[str]) -> None:
        self.out, self.options = out, list(options)
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self.results: dict[str, Any] = {
            "device": None, "commit": commit(), "versions": versions(), "minutes": minutes,
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "parts": {},
        }  # fmt: skip
        self._written = 0.0

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

    def run(self, name: str, share: float, patience: float, sanitized: bool) -> None:
        """A part; results go to `results["parts"][name]`."""
        part: dict[str, Any] = {"checks": [], "complete": False}
        self.results["parts"][name] = part
        until = time.monotonic() + share * max(0.0, self.left())
        prefix: list[str] = []
        if sanitized:
            tool = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
            if tool is None:
                part["not_run"] = "compute-sanitizer is not on the PATH: it comes with CUDA's toolkit"
                print(f"{name}: not run: {part['not_run']}", flush=True)
                self.write()
                return
            prefix = [tool, *SANITIZER]
        print(f"{name}: {'no limit' if until == float('inf') else f'{until - time.monotonic():.0f} s'}", flush=True)
        while time.monotonic() < until:
            process = _Process([*prefix, *self._command("--part", name, "--from", str(len(part["checks"])))])
            ended = self._follow(process, name, part, until, patience)
            if ended:
                break
        part["counts"] = dict(Counter({True: "passed", False: "failed", None: "not run"}[c["ok"]] for c in part["checks"]))
        self.write()
        print(f"{name}: {part['counts']}{'' if part['complete'] else ', not all'}", flush=True)

    def _follow(self, process: _Process, name: str, part: dict[str, Any], until: float, patience: float) -> bool:
        """Take a process's lines until it ends; whether the part is over."""
        begun: str | None = None
        limit = time.monotonic() + START_SECONDS
        while True:
            line = process.line(min(limit, until) - time.monotonic())
            if line is None:
                break
            if "begin" in line:
                begun, limit = line["begin"], time.monotonic() + patience
            elif "check" in line:
                begun, limit = None, time.monotonic() + patience
                found = process.complaints()
                self._add(name, part, line if not found else line | {"ok": False, "error": found})
            elif "end" in line:
                part["complete"] = True
        code, words = process.end()
        if part["complete"] and code == 0:
            return True
        if part["complete"]:  # the sanitizer's word on all that ran, or a process that crashed as it ended
            self._add(name, part, {"check": "the end of the process", "ok": False, "error": f"exit code {code}\n{words}"})
            return True
        if time.monotonic() >= until:
            return True
        if begun is not None:
            why = "did not end in time" if process.stuck else f"ended its process with {code}"
            self._add(name, part, {"check": begun, "ok": False, "error": f"{why}\n{words}"})
            return False
        if code == FAULTED:
            return False
        self._add(name, part, {"check": "between checks", "ok": False, "error": f"the process ended with {code}\n{words}"})
        return True

    def _add(self, name: str, part: dict[str, Any], line: dict[str, Any]) -> None:
        part["checks"].append(line)
        if line["ok"] is False:
            print(f"  {name}: {line['check']}: {str(line.get('error'))[:300]}", flush=True)
        self.write(at_once=False)


class _Process:
    """A process and the lines of JSON that it prints; other lines are kept, as an ending may need them to be understood."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._words: list[str] = []
        self._read_words = 0
        self.stuck = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def line(self, seconds: float) -> dict[str, Any] | None:
        """The next line of JSON; None where there is none any more, or none for so long."""
        end = time.monotonic() + seconds
        while True:
            try:
                text = self._lines.get(timeout=max(0.0, min(end - time.monotonic(), 1e6)))
            except queue.Empty:
                self.stuck = True
                return None
            if text is None:
                return None
            if text.startswith("{"):
                try:
                    return dict(json.loads(text))
                except ValueError:
                    pass
            self._words.append(text)

    def complaints(self) -> str:
        """What compute-sanitizer said since this was last asked."""
        said = [w for w in self._words[self._read_words :] if w.startswith("=========") and not any(s in w for s in _CALM)]
        self._read_words = len(self._words)
        return "".join(said[:30])

    def end(self) -> tuple[int, str]:
        """Its exit code, and the last words that were no JSON. One that still runs is ended, with all that it started."""
        try:
            code = self._process.wait(timeout=0 if self.stuck else 10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait()
        self._reader.join(10)
        return code, "".join(self._words[-40:])[-4000:]
