"""jitgrad, jax, PyTorch and CuPy as what workloads are written in: a set of names for each, how it compiles, how one waits."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .checks import PLACE, NotRun

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@dataclass(frozen=True)
class System:
    """A library that can do a workload."""

    names: SimpleNamespace
    compile: Callable[[Any], Any]
    put: Callable[[Any, str | None], Any]
    """A NumPy array on the device, of an element type."""
    wait: Callable[[Any], Any]


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotRun(f"{name} is not installed: {error}") from error


def _like_jax(name: str) -> System:
    j, jnp, special, nn = (_module(name + end) for end in ("", ".numpy", ".scipy.special", ".nn"))
    names = SimpleNamespace(
        tanh=jnp.tanh, sqrt=jnp.sqrt, log=jnp.log, exp=jnp.exp, erf=special.erf, gelu=nn.gelu, grad=j.grad,
        fori_loop=j.lax.fori_loop, value_and_grad=j.value_and_grad, gradients=lambda f, count: j.grad(f, tuple(range(count))),
    )  # fmt: skip

    def cross_entropy(x: Any, y: Any) -> Any:
        return -jnp.take_along_axis(nn.log_softmax(x), y[:, None], 1).mean()

    def layer_norm_times(x: Any, scale: Any, shift: Any, weight: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return ((centred * j.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift) * weight).sum()

    names.cross_entropy, names.layer_norm_times = cross_entropy, layer_norm_times
    names.attention = lambda q, k, v: nn.dot_product_attention(q, k, v, scale=1 / 8)
    names.in_tf32 = lambda x, y: jnp.matmul(x, y, precision="tensorfloat32")
    device = PLACE.device if name == "jitgrad" else _gpu_of_jax(j)
    j.config.update("jax_default_matmul_precision", "highest")  # float32 is float32, as in PyTorch and here
    put = lambda x, dtype: j.device_put(x if dtype is None else x.astype(jnp.dtype(dtype)), device)
    return System(names, j.jit, put, j.block_until_ready)


def _gpu_of_jax(jax: Any) -> Any:
    try:
        return jax.devices("gpu")[0]
    except RuntimeError as error:
        raise NotRun(f"jax has no GPU here: {str(error).splitlines()[0]}") from error


def _torch(compiled: bool) -> System:
    torch = _module("torch")
    if not torch.cuda.is_available():
        raise NotRun("torch has no GPU here")
    functional = torch.nn.functional

    def gradients(f: Any, count: int) -> Any:
        def g(*args: Any) -> Any:
            args = tuple(a.detach().requires_grad_() if n < count else a for n, a in enumerate(args))
            return torch.autograd.grad(f(*args), args[:count])

        return g

    def value_and_grad(f: Any) -> Any:
        def g(x: Any, *rest: Any) -> Any:
            x = x.detach().requires_grad_()
            value = f(x, *rest)
            return value.detach(), torch.autograd.grad(value, x)[0]

        return g

    def in_tf32(x: Any, y: Any) -> Any:
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return x @ y
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False

    names = SimpleNamespace(
        in_tf32=in_tf32, tanh=torch.tanh, sqrt=torch.sqrt, log=torch.log, exp=torch.exp, erf=torch.erf, gradients=gradients,
        gelu=lambda x: functional.gelu(x, approximate="tanh"), grad=lambda f: lambda x: gradients(f, 1)(x)[0],
        value_and_grad=value_and_grad, cross_entropy=functional.cross_entropy,
        attention=lambda *qkv: functional.scaled_dot_product_attention(*[x.transpose(1, 2) for x in qkv], scale=1 / 8),
        layer_norm_times=lambda x, a, b, w: (functional.layer_norm(x, (x.shape[-1],), a, b) * w).sum(),
    )  # fmt: skip

    def put(x: np.ndarray, dtype: str | None) -> Any:
        return torch.from_numpy(x).to("cuda", getattr(torch, dtype) if dtype else None)

    return System(names, torch.compile if compiled else lambda f: f, put, lambda _: torch.cuda.synchronize())


def _cupy() -> System:
    cupy = _module("cupy")
    names = SimpleNamespace()  # no gradients: what is left are chains and products
    compiled = lambda f: f if f.__code__.co_argcount == 2 else cupy.fuse(f)
    return System(names, compiled, lambda x, dtype: cupy.asarray(x, dtype), lambda _: cupy.cuda.Device().synchronize())


SYSTEMS: dict[str, Callable[[], System]] = {
    "jitgrad": lambda: _like_jax("jitgrad"),
    "jax": lambda: _like_jax("jax"),
    "torch": lambda: _torch(False),
    "torch.compile": lambda: _torch(True),
    "cupy": _cupy,
}
