"""What a session's results come to: counts, and how the library stands to the best of the others."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Counts of checks, and of each workload its time, its share of a copy's bandwidth and the best other time over its own."""
    parts = results["parts"]
    checks = [c for part in parts.values() for c in part["checks"]]
    incomplete = {name: part.get("not_run", "out of time") for name, part in parts.items() if not part["complete"]}
    return {
        "passed": sum(c["ok"] is True for c in checks),
        "failed": sum(c["ok"] is False for c in checks),
        "not_run": sum("not_run" in c for c in checks),
        "refused": dict(Counter(c["refused"] for c in checks if "refused" in c).most_common()),
        "incomplete": incomplete,
        "workloads": _workloads(parts, "benchmark"),
        "frozen": _frozen(_workloads(parts, "frozen")),
    }


COUNTS_AT_MOST = 8
"""What one workload counts in the geometric mean."""


def _frozen(rows: dict[str, Any]) -> dict[str, Any]:
    """The workloads, and the geometric mean of how the best others stand to the library."""
    ratios = [min(row["ratio"], COUNTS_AT_MOST) for row in rows.values() if "ratio" in row]
    mean = {"geometric_mean": _short(math.prod(ratios) ** (1 / len(ratios)))} if ratios else {}
    return {**mean, **rows}


def _workloads(parts: dict[str, Any], kind: str) -> dict[str, Any]:
    """Those of the part `kind`, with the others' of the parts whose names begin so."""
    own = {c["check"]: c for c in parts.get(kind, {"checks": []})["checks"] if c["ok"]}
    copy = own.get("copy", {}).get("bytes_a_second")
    others: dict[str, dict[str, Any]] = {}
    for name, part in parts.items():
        if name.startswith(f"{kind} "):
            for c in part["checks"]:
                if c["ok"]:
                    others.setdefault(c["check"], {})[name.removeprefix(f"{kind} ")] = c
    found = {}
    for name, c in own.items():
        row: dict[str, Any] = {"us": _short(c["us"])}
        if copy and "bytes_a_second" in c:
            row["share_of_copy"] = _short(c["bytes_a_second"] / copy)
        if "flops" in c:
            row["teraflops"] = _short(c["flops"] / 1e12)
        if others.get(name):
            best = min(others[name], key=lambda system: others[name][system]["us"])
            row |= {"best_other": best, "ratio": _short(others[name][best]["us"] / c["us"])}
            if "jax" in others[name]:
                row["first_call_ratio"] = _short(others[name]["jax"]["first_seconds"] / c["first_seconds"])
        found[name] = row
    return found


def _short(x: float) -> float:
    return float(f"{x:.4g}")
