"""Checks of a GPU against the processor, and its speed. Run: python -m jitgrad.testing.gpu [--minutes N] [--out FILE]

Parts run in the order of --list, the most telling first, each in processes of its own; --parts runs some, and another session the
others. Results are written as JSON as they come:
device, driver, versions, commit, every check and its figures, and a summary. The exit code is 0 where every check passed that could
be run and that the library does not refuse; 1 where one failed, or there is no device. Nothing is skipped for want of one.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path

from . import child, frozen
from .checks import PLACE
from .parts import PARTS
from .session import Session


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m jitgrad.testing.gpu", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, help="how long all may take; by default as long as it needs")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the file of results")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="by default all")
    parser.add_argument("--frozen", type=Path, help="a folder with run.py and workloads.py: they are measured, too")
    parser.add_argument("--commit", help="the commit that is tested, where the library lies in no checkout")
    parser.add_argument("--list", action="store_true", help="print the parts, and how many checks they have")
    parser.add_argument(
        "--jobs", type=int, default=max(1, min(8, (os.cpu_count() or 1) // 2)), help="processes of one part at once"
    )
    parser.add_argument("--device", default="cuda", help="cuda:1, for one")
    parser.add_argument(
        "--stand-in",
        metavar="MODULE:FUNCTION",
        help="open devices by this function of their number: to try the checks themselves where there is no GPU. 'cpu' puts the "
        "processor in the device's place. The exit code is never 0",
    )
    inside = parser.add_argument_group("for the processes that it starts")
    inside.add_argument("--describe", action="store_true")
    inside.add_argument("--part", choices=list(PARTS))
    inside.add_argument("--from", type=int, default=0, dest="first")
    inside.add_argument("--step", type=int, default=1)
    return parser


def main() -> int:
    options = _parser().parse_args()
    device = "cpu" if options.stand_in == "cpu" else options.device
    if options.stand_in and options.stand_in != "cpu" and (options.describe or options.part):
        module, _, function = options.stand_in.partition(":")
        importlib.import_module("jitgrad_compiler.runtime.cuda.devices").open_with(
            getattr(importlib.import_module(module), function)
        )
    PLACE.device = device
    frozen.use(options.frozen)
    if options.describe:
        return child.describe(device)
    if options.part:
        return child.run_part(options.part, options.first, options.step)
    if options.list:
        for name in options.parts:
            print(f"{name}: {child.count_of(name)}")
        return 0
    return _session(options)


def _session(options: argparse.Namespace) -> int:
    passed_on = ["--device", options.device, *(["--stand-in", options.stand_in] if options.stand_in else [])]
    passed_on += ["--frozen", str(options.frozen.resolve())] if options.frozen else []
    session = Session(options.out, options.minutes, passed_on, options.commit)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends, too
    fault = session.open_device()
    if fault is not None:
        print(f"no device to test: {fault}", file=sys.stderr)
        return 1
    print(f"{session.results['device']['name']}, commit {session.results['commit']}", flush=True)
    for name in options.parts:
        part = PARTS[name]
        if name.startswith("frozen") and not options.frozen:
            continue
        session.run(name, part.share, part.patience, part.sanitized, options.jobs if part.parallel else 1)
    found = session.results["summary"]
    refused = sum(found["refused"].values())
    print(
        f"{found['passed']} passed, {found['failed']} failed, {refused} were refused by the library, {found['not_run']} could "
        f"not be run; see {options.out}"
    )
    if options.stand_in:
        print("nothing was tried on a GPU: a stand-in had its place")
        return 2
    return 1 if found["failed"] or not found["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
