"""What Optax, PyTorch and scikit-learn give for the cases of tests/reference_cases.py; run as a program it stores the numbers.

usage: python tests/peers/reference_numbers.py         with the extra test-peers; writes tests/reference_numbers/*.json
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import reference_cases as cases  # noqa: E402


def numbers(x: Any) -> list[float]:
    """All elements of a dict of arrays, by name, or of an array."""
    arrays = [x[name] for name in sorted(x)] if isinstance(x, dict) else [x]
    return [float(v) for a in arrays for v in np.asarray(a, np.float64).ravel()]


def optax_names() -> SimpleNamespace:
    """Optax's functions under the names that they have in jitgrad.optim; Adafactor's means decay in float64."""
    import functools

    import jax.numpy as jnp
    import optax
    from optax import contrib
    from optax._src import factorized

    names = {**vars(optax), "muon": contrib.muon, "reduce_on_plateau": contrib.reduce_on_plateau}
    exact = functools.partial(
        factorized.scale_by_factored_rms, decay_rate_fn=lambda i, rate: 1.0 - (jnp.asarray(i, "float64") + 1.0) ** -rate
    )

    def adafactor(*args: Any, **kwargs: Any) -> Any:
        from unittest.mock import patch

        with patch.object(factorized, "scale_by_factored_rms", exact):
            return optax.adafactor(*args, **kwargs)

    return SimpleNamespace(**{**names, "adafactor": adafactor})


def optimizers() -> dict[str, dict[str, list[float]]]:
    import jax
    import optax

    o, out = optax_names(), {"optimizers": {}, "schedules": {}, "searches": {}}
    with jax.enable_x64(True):
        for name, make in cases.OPTIMIZERS.items():
            opt = make(o)
            update = jax.jit(optax.with_extra_args_support(opt).update) if hasattr(opt, "_fields") else jax.jit(opt.update)
            params = jax.tree.map(jax.numpy.asarray, cases.START)
            state = opt.init(params)
            for n in range(cases.STEPS):
                noise = {key: x[n] for key, x in cases.NOISE.items()}
                loss, gradient = cases.loss_and_gradient(np, {k: np.asarray(p) for k, p in params.items()}, noise)
                updates, state = update(gradient, state, params, value=loss)
                params = optax.apply_updates(params, updates)
            out["optimizers"][name] = numbers(params)
        for name, make in cases.SCHEDULES.items():
            schedule = make(o)
            out["schedules"][name] = [float(schedule(jax.numpy.asarray(c, float))) for c in cases.COUNTS]
        for name, make in cases.SEARCHES.items():
            opt, f = make(o), lambda p: cases.valley(jax.numpy, p)
            params = jax.tree.map(jax.numpy.asarray, cases.VALLEY_START)
            state, rows = opt.init(params), []

            @jax.jit
            def step(params: Any, state: Any, opt: Any = opt, f: Any = f) -> Any:
                value, gradient = jax.value_and_grad(f)(params)
                updates, state = opt.update(gradient, state, params, value=value, grad=gradient, value_fn=f)
                return optax.apply_updates(params, updates), state

            for n in range(max(cases.SEARCH_STEPS)):
                params, state = step(params, state)
                if n + 1 in cases.SEARCH_STEPS:
                    rows += numbers(params)
            out["searches"][name] = rows
    return out


def torch_optimizers() -> dict[str, list[float]]:
    import torch

    out = {}
    for name, (make, _) in cases.TORCH_OPTIMIZERS.items():
        params = {key: torch.nn.Parameter(torch.tensor(p)) for key, p in cases.START.items()}
        opt = make(torch.optim, list(params.values()))
        for n in range(cases.STEPS):
            now = {key: p.detach().numpy() for key, p in params.items()}
            _, gradient = cases.loss_and_gradient(np, now, {key: x[n] for key, x in cases.NOISE.items()})
            for key, p in params.items():
                p.grad = torch.tensor(gradient[key])
            opt.step()
        out[name] = numbers({key: p.detach().numpy() for key, p in params.items()})
    return out


def losses() -> dict[str, list[float]]:
    """The loss, and the gradient of its sum with respect to each array."""
    import torch

    out = {}
    for name, (arrays, theirs, _) in cases.LOSSES.items():
        given = [torch.tensor(a, requires_grad=True) for a in arrays]
        loss = theirs(torch.nn.functional, torch.tensor, *given)
        loss.sum().backward()
        out[name] = [x for a in (loss.detach(), *(g.grad for g in given)) for x in numbers(a.numpy())]
    return out


def metrics() -> dict[str, list[float]]:
    import sklearn.metrics

    return {name: numbers(theirs(sklearn.metrics)) for name, (theirs, _) in cases.METRICS.items()}


TABLES: dict[str, tuple[str, Callable[[], Any]]] = {
    "optimizers": ("optax", optimizers),
    "torch_optimizers": ("torch", torch_optimizers),
    "losses": ("torch", losses),
    "metrics": ("sklearn", metrics),
}
"""The library that each table needs, and what it gives."""


def main() -> None:
    folder = Path(os.environ.get("REFERENCE_NUMBERS", cases.STORED))
    folder.mkdir(exist_ok=True)
    for name in sys.argv[1:] or TABLES:
        text = json.dumps(TABLES[name][1](), indent=0, sort_keys=True)
        (folder / f"{name}.json").write_text(text.replace(",\n", ", ").replace("[\n", "[").replace("\n]", "]") + "\n")


if __name__ == "__main__":
    main()
