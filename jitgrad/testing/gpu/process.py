"""A process that tells what it does in lines of JSON."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

CALM = ("COMPUTE-SANITIZER", "ERROR SUMMARY: 0", "LEAK SUMMARY: 0")
"""What compute-sanitizer says where all is well."""


class Process:
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
        said = [w for w in self._words[self._read_words :] if w.startswith("=========") and not any(s in w for s in CALM)]
        self._read_words = len(self._words)
        return "".join(said[:30])

    def kill(self) -> None:
        """End it, with all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> tuple[int, str]:
        """Its exit code, and the last words that were no JSON; one that still runs is ended."""
        try:
            code = self._process.wait(timeout=0 if self.stuck else 10)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._reader.join(10)
        return code, "".join(self._words[-40:])[-4000:]
