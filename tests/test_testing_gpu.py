"""The session that checks a GPU, as far as it runs without one: it never passes there, and survives whatever a device does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from jitgrad.testing.gpu import checks, session, summary, workloads
from jitgrad.testing.gpu.parts import PARTS


def run(tmp_path, *words, **environment):
    command = [sys.executable, "-m", "jitgrad.testing.gpu", "--out", str(tmp_path / "gpu.json"), *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=200, check=False)


def test_without_a_device_it_fails_and_says_what_is_missing(tmp_path):
    done = run(tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1 and done.stdout == ""
    assert "no device to test: DriverError: a GPU was asked for" in done.stderr


def test_with_the_processor_in_the_devices_place_all_agrees_but_nothing_passes(tmp_path):
    done = run(tmp_path, "--stand-in", "cpu", "--parts", "smoke", "families")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing was tried on a GPU" in done.stdout
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert results["device"]["platform"] == "cpu" and "numpy" in results["versions"]
    assert [part["complete"] for part in results["parts"].values()] == [True, True]
    assert results["summary"]["failed"] == results["summary"]["not_run"] == 0
    assert results["summary"]["passed"] == sum(len(part["checks"]) for part in results["parts"].values()) > 25


CHILD = """
import json, os, sys, time
first = int(sys.argv[sys.argv.index("--from") + 1])
def tell(**what):
    print(json.dumps(what), flush=True)
step = int(sys.argv[sys.argv.index("--step") + 1])
for n in range(first, 6, step):
    tell(begin=str(n))
    if n == 1:
        print("Fatal: all is lost", flush=True)
        os._exit(11)
    if n == 2:
        time.sleep(100)
    tell(check=str(n), ok=n != 3, error="a fault")
    if n == 3:
        sys.exit(3)
tell(end="part")
"""


def test_a_check_that_crashes_hangs_or_loses_the_device_costs_itself_alone(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(session.Session, "_command", lambda self, *words: [sys.executable, str(script), *words])
    made = session.Session(tmp_path / "gpu.json", None, [])
    made.run("part", 1.0, 2.0)
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["part"]
    assert [(c["check"], c["ok"]) for c in part["checks"]] == [
        ("0", True),
        ("1", False),
        ("2", False),
        ("3", False),
        ("4", True),
        ("5", True),
    ]
    assert "ended its process with 11" in part["checks"][1]["error"] and "all is lost" in part["checks"][1]["error"]
    assert "did not end in time" in part["checks"][2]["error"]
    assert part["complete"] and part["counts"] == {"passed": 3, "failed": 3}


def test_several_processes_share_a_part(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(session.Session, "_command", lambda self, *words: [sys.executable, str(script), *words])
    made = session.Session(tmp_path / "gpu.json", None, [])
    made.run("part", 1.0, 2.0, lanes=2)
    part = made.results["parts"]["part"]
    assert sorted((c["check"], c["ok"]) for c in part["checks"]) == [(str(n), n in (0, 4, 5)) for n in range(6)]
    assert part["complete"]


def test_what_compute_sanitizer_says_is_the_fault_of_the_check_it_was_at(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(
        "import json, os, sys\n"
        'if "--describe" in sys.argv: sys.exit(os.environ["TOOL"] != "memcheck")\n'
        'print("========= COMPUTE-SANITIZER")\n'
        'for n in range(3):\n    print(json.dumps({"begin": str(n)}))\n'
        '    if n == 1: print("========= Invalid __global__ read of size 4")\n'
        '    print(json.dumps({"check": str(n), "ok": True}))\n'
        'print(json.dumps({"end": "part"}))\nprint("========= ERROR SUMMARY: 1 error")\nraise SystemExit(9)\n'
    )
    monkeypatch.setattr(session.Session, "_command", lambda self, *words: [sys.executable, str(script), *words])
    monkeypatch.setattr(session.shutil, "which", lambda name: "/usr/bin/env")
    monkeypatch.setattr(session, "SANITIZER", [])
    made = session.Session(tmp_path / "gpu.json", None, [])
    made.run("part", 1.0, 20.0, sanitized="TOOL=memcheck")
    found = made.results["parts"]["part"]["checks"]
    assert [(c["check"], c["ok"]) for c in found] == [("0", True), ("1", False), ("2", True), ("the end of the process", False)]
    assert "Invalid __global__ read" in found[1]["error"] and "ERROR SUMMARY: 1 error" in found[3]["error"]
    made.run("other", 1.0, 20.0, sanitized="TOOL=that does not know the device")
    assert "does not work under compute-sanitizer" in made.results["parts"]["other"]["not_run"]
    assert not made.results["parts"]["other"]["checks"]


RUN = """
import types

def jax_shaped(system, W):
    return lambda name: (system, W.WORKLOADS[name])

def measure(prepare, name, seconds):
    system, f = prepare(name)
    if name == "bad":
        raise ValueError("it can not")
    return dict(name=name, first=0.5, steady=f() * (1 if system == "jitgrad" else 20), best=0.1), []
"""


def test_the_workloads_of_a_folder_are_measured_by_its_own_rules(tmp_path):
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "workloads.py").write_text('WORKLOADS = {"quick": lambda: 1e-6, "slow": lambda: 2e-6, "bad": None}')
    run(tmp_path, "--stand-in", "cpu", "--parts", "frozen", "frozen jax", "--frozen", str(tmp_path), "--commit", "abc")
    results = json.loads((tmp_path / "gpu.json").read_text())
    own, other = (results["parts"][name]["checks"] for name in ("frozen", "frozen jax"))
    assert [(c["check"], c["ok"]) for c in own] == [("quick", True), ("slow", True), ("bad", False)]
    assert [c["ok"] for c in other] == [True, True, None] and results["commit"] == "abc"
    assert results["summary"]["frozen"]["quick"]["ratio"] == 20 and results["summary"]["frozen"]["geometric_mean"] == 8


def test_who_ends_a_session_ends_what_it_started(tmp_path, monkeypatch):
    script, told = tmp_path / "child.py", tmp_path / "pid"
    script.write_text(
        f"import json, os, time\nopen({str(told)!r}, 'w').write(str(os.getpid()))\n"
        "print(json.dumps({'begin': '0'}), flush=True)\ntime.sleep(100)\n"
    )
    monkeypatch.setattr(session.Session, "_command", lambda self, *words: [sys.executable, str(script), *words])
    made = session.Session(tmp_path / "gpu.json", None, [])
    main = threading.main_thread().ident

    def interrupt():
        while not (told.exists() and told.read_text()):
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        made.run("part", 1.0, 100.0)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
    assert json.loads((tmp_path / "gpu.json").read_text())["parts"]["part"]["complete"] is False


def test_a_part_ends_when_its_share_of_the_time_is_over(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(CHILD.replace("if n == 1", "if False").replace("sleep(100)", "sleep(300)"))
    monkeypatch.setattr(session.Session, "_command", lambda self, *words: [sys.executable, str(script), *words])
    made = session.Session(tmp_path / "gpu.json", 0.1, [])
    made.run("part", 0.5, 100.0)
    part = made.results["parts"]["part"]
    assert [c["check"] for c in part["checks"]] == ["0", "1"] and not part["complete"]
    assert made.results["summary"]["incomplete"] == {"part": "out of time"}


def test_numbers_are_compared_by_their_type_and_size():
    x = np.linspace(-1, 1, 100, dtype="f4")
    assert checks.agree([x], [x]) == 0
    assert checks.agree([x * np.float32(1 + 3e-7)], [x]) < 0.1
    with pytest.raises(AssertionError, match="numbers differ"):
        checks.agree([x * np.float32(1.001)], [x])
    with pytest.raises(AssertionError, match="1 of 3 numbers differ; at .2."):
        checks.agree([np.array([1.0, np.nan, np.nan])], [np.array([1, np.nan, np.inf])])
    with pytest.raises(AssertionError, match="1 of 2"):
        checks.agree([np.array([1, 3])], [np.array([1, 2])])
    with pytest.raises(AssertionError, match="expected float32"):
        checks.agree([x.astype("f8")], [x])
    with pytest.raises(AssertionError, match="differ"):
        checks.agree([np.float32(0.0591)], [np.float32(0.059099)])
    assert checks.agree([np.float32(0.0591)], [np.float32(0.059099)], floor=3) < 0.1


def test_results_that_lie_elsewhere_are_a_fault():
    with pytest.raises(AssertionError, match="lie on"):
        checks.Place("cuda").assert_here(checks.jitgrad.numpy.ones(3))


def test_the_summary_compares_with_the_best_other_and_with_the_copy():
    def part(*rows):
        return {"complete": True, "checks": [{"ok": True, **row} for row in rows]}

    own = {"check": "chain", "us": 10.0, "bytes_a_second": 9e11, "first_seconds": 0.5, "flops": 2e12}
    refused = {
        "checks": [{"check": "a", "ok": None, "refused": "why"}, {"check": "b", "ok": None, "not_run": "no"}],
        "complete": True,
    }
    found = summary.summary(
        {
            "parts": {
                "benchmark": part({"check": "copy", "us": 1.0, "bytes_a_second": 1e12}, own),
                "benchmark jax": part({"check": "chain", "us": 15.0, "first_seconds": 2.0}),
                "ops": refused,
                "benchmark torch": part({"check": "chain", "us": 12.0, "first_seconds": 0.0}),
            }
        }
    )
    assert (found["passed"], found["failed"], found["not_run"], found["refused"]) == (4, 0, 1, {"why": 1})
    assert found["workloads"]["chain"] == {
        "us": 10, "share_of_copy": 0.9, "teraflops": 2, "best_other": "torch", "ratio": 1.2, "first_call_ratio": 4,
    }  # fmt: skip


def test_every_part_has_checks_of_different_names():
    for name, part in PARTS.items():
        titles = [check.name for check in part.checks()]
        assert (titles or name.startswith("frozen")) and len(set(titles)) == len(titles), name


def test_workloads_compute_what_they_say():
    from types import SimpleNamespace

    chain = workloads._chain(SimpleNamespace(), 1)
    x, y, z = chain.args
    np.testing.assert_array_equal(chain.f(x, y, z), (2 * x + y) * z - x)
    assert chain.nbytes == 4 * x.nbytes


ROOT = Path(__file__).parents[1]


def said_of(results):
    """What a page has to say of a session's results."""
    found = results["summary"]
    return [results["device"]["name"], results["commit"], f"{found['passed']} checks passed", f"{found['failed']} failed"]


def test_the_page_on_gpus_says_what_was_tried_on_one_from_the_committed_results_alone():
    page, committed = (ROOT / "docs/gpu.md").read_text(), ROOT / "benchmarks/results/gpu.json"
    (paragraph,) = [p for p in page.split("\n\n") if p.startswith("**What was tried on a GPU**")]
    if not committed.exists():
        assert paragraph.startswith("**What was tried on a GPU**: nothing so far.")
    else:
        assert [words for words in said_of(json.loads(committed.read_text())) if words not in " ".join(paragraph.split())] == []


def test_what_a_page_has_to_say_is_in_the_results_of_a_session(tmp_path):
    run(tmp_path, "--stand-in", "cpu", "--parts", "smoke", "--commit", "abc123")
    assert said_of(json.loads((tmp_path / "gpu.json").read_text()))[1] == "abc123"
