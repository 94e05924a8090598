"""Linear algebra on a GPU by cuSOLVER and cuBLAS, whose stand-ins check what they are asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.errors import DriverError, OutOfDeviceMemory
from jitgrad.scipy import linalg as scipy_linalg
from jitgrad_compiler.ir.types import NAMES
from jitgrad_compiler.passes.column_routines import WRITTEN
from jitgrad_compiler.runtime.cuda import devices
from jitgrad_compiler.runtime.cuda.executable import compile_for
from jitgrad_compiler.runtime.cuda.libraries import SIGNATURES
from jitgrad_compiler.targets.cuda.program import HostStep
from tests.compiler.op_examples import Example, examples

from .running import run_on_gpu, stand_ins
from .solver_standin import CuBlas, CuSolver, install
from .standin import StandIn


@pytest.fixture(params=[False, True], ids=["at once", "later"])
def driver(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    with stand_ins(deferred=request.param) as (driver,):
        install(driver)
        yield driver
        assert not driver.misuses


def _calls(driver: StandIn) -> set[str]:
    return {name for library in driver.libraries.values() for name in library.calls}


DTYPES = ["f4", "f8", "c8", "c16"]


def numbers(*shape: int, dtype: str = "f8", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)


def _definite(*shape: int, dtype: str) -> np.ndarray:
    x = numbers(*shape, dtype=dtype)
    return (x @ np.swapaxes(x.conj(), -1, -2) + 3 * np.eye(shape[-1])).astype(dtype)


def _qr(x: Any, mode: str = "reduced") -> Any:
    q, r = jnp.linalg.qr(x, mode)
    return q @ r, jnp.abs(q), jnp.abs(r)


def _eigh(x: Any) -> Any:
    w, v = jnp.linalg.eigh(x)
    return w, x @ v - v * w[..., None, :], jnp.abs(v)


def _svd(x: Any, full: bool = False) -> Any:
    u, s, vh = jnp.linalg.svd(x, full_matrices=full)
    k = s.shape[-1]
    return s, (u[..., :k] * s[..., None, :]) @ vh[..., :k, :], jnp.abs(u[..., :k]), jnp.abs(vh[..., :k, :])


def _matrices(*shapes: tuple[int, ...]) -> list[Callable[[str], tuple[np.ndarray, ...]]]:
    return [lambda dtype, shape=shape: (numbers(*shape, dtype=dtype),) for shape in shapes]  # type: ignore[misc]


FUNCTIONS: dict[str, tuple[Callable[..., Any], list[Callable[[str], tuple[np.ndarray, ...]]]]] = {
    "cholesky": (
        lambda x: (jnp.linalg.cholesky(x), lax.linalg.cholesky(x)),
        [lambda t: (_definite(5, 5, dtype=t),), lambda t: (_definite(2, 3, 4, 4, dtype=t),),
         lambda t: (_definite(2, 260, 260, dtype=t),)],
    ),
    "solve": (
        jnp.linalg.solve,
        [
            lambda t: (numbers(5, 5, dtype=t), numbers(5, 3, dtype=t)),
            lambda t: (numbers(2, 4, 4, dtype=t), numbers(2, 4, 2, dtype=t)),
            lambda t: (numbers(6, 6, dtype=t), numbers(6, dtype=t)),
        ],
    ),
    "transposed systems by factors": (
        lambda a, b: [scipy_linalg.lu_solve(scipy_linalg.lu_factor(a), b, trans=trans) for trans in (0, 1)],
        [lambda t: (numbers(5, 5, dtype=t), numbers(5, 3, dtype=t))],
    ),
    "lu": (lax.linalg.lu, _matrices((5, 5), (3, 6), (6, 3), (2, 4, 4), (2, 5, 3))),
    "inv, det": (
        lambda x: (jnp.linalg.inv(x), jnp.linalg.det(x), *jnp.linalg.slogdet(x)),
        [lambda t: (numbers(4, 4, dtype=t),), lambda t: (numbers(3, 5, 5, dtype=t),)],
    ),
    "triangular": (
        lambda a, b: [
            lax.linalg.triangular_solve(a, b, left_side=True, lower=lower, transpose_a=t, conjugate_a=c, unit_diagonal=u)
            for lower, t, c, u in ((True, False, False, False), (False, True, True, False), (True, True, False, True))
        ],
        [
            lambda t: (numbers(5, 5, dtype=t) + 4 * np.eye(5, dtype=t), numbers(5, 3, dtype=t)),
            lambda t: (numbers(3, 4, 4, dtype=t) + 4 * np.eye(4, dtype=t), numbers(3, 4, 2, dtype=t)),
        ],
    ),
    "triangular from the right": (
        lambda a, b: [lax.linalg.triangular_solve(a, b, lower=lower) for lower in (False, True)],
        [lambda t: (numbers(5, 5, dtype=t) + 4 * np.eye(5, dtype=t), numbers(2, 5, dtype=t))],
    ),
    "qr": (_qr, _matrices((5, 5), (3, 6), (6, 3), (2, 4, 4), (2, 5, 3))),
    "qr, whole": (lambda x: _qr(x, "complete")[::2], _matrices((5, 3), (2, 3, 5))),
    "reflections": (
        lambda x: (lambda h, taus: lax.linalg.householder_product(h.mT, taus))(*jnp.linalg.qr(x, "raw")),
        [lambda t: (numbers(5, 3, dtype=t),)],
    ),
    "eigh": (_eigh, [lambda t: (_definite(5, 5, dtype=t),), lambda t: (_definite(3, 4, 4, dtype=t),)]),
    "eigenvalues": (jnp.linalg.eigvalsh, [lambda t: (_definite(5, 5, dtype=t),), lambda t: (_definite(3, 4, 4, dtype=t),)]),
    "svd": (_svd, _matrices((5, 5), (3, 6), (6, 3), (2, 4, 4), (2, 5, 3), (2, 3, 5), (2, 40, 3))),
    "svd, whole": (lambda x: _svd(x, True), _matrices((5, 3), (3, 5), (2, 3, 5), (2, 5, 3), (40, 33))),
    "singular values": (
        lambda x: jnp.linalg.svd(x, compute_uv=False), _matrices((5, 3), (3, 5), (2, 3, 5)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_library_does_what_the_processor_does(name: str, dtype: str, driver: StandIn) -> None:
    f, operands = FUNCTIONS[name]
    tolerance = 2e-4 if dtype in ("f4", "c8") else 1e-11
    for make in operands:
        args = make(dtype)
        with jitgrad.default_device("cpu"):
            expected = jitgrad.tree.leaves(jitgrad.jit(f)(*args))
        downloads = driver.counts["download"]
        found = jitgrad.tree.leaves(jitgrad.jit(f)(*jitgrad.device_put(args, "cuda")))
        assert all(x.device.platform == "cuda" for x in found)
        assert driver.counts["download"] == downloads
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                np.asarray(got), np.asarray(want), rtol=tolerance, atol=tolerance, err_msg=str(args[0].shape)
            )


LIBRARIES_OWN = [
    example for name in sorted([*[op.name for op in WRITTEN], "triangular_solve"]) for example in examples(name)
    if all(0 not in o.shape for o in example.operands)
]  # fmt: skip


@pytest.mark.parametrize("example", LIBRARIES_OWN, ids=str)
def test_programs_of_these_ops_ask_the_processor_for_nothing(example: Example) -> None:
    graph = example.graph(NAMES[np.dtype("f8")])
    arrays = example.arrays(NAMES[np.dtype("f8")], np.random.default_rng(0))
    with stand_ins() as (driver,):
        install(driver)
        run_on_gpu(graph, arrays)
        steps = compile_for(devices.device(0), graph).program.steps
        assert steps and not any(isinstance(s, HostStep) for s in steps)
        assert not driver.misuses


def test_without_the_libraries_the_processor_does_it() -> None:
    x = _definite(5, 5, dtype="f8")
    with stand_ins():
        found = jitgrad.jit(jnp.linalg.cholesky)(jitgrad.device_put(x, "cuda"))
        assert found.device.platform == "cuda"
        np.testing.assert_allclose(found, np.linalg.cholesky(x), rtol=1e-12)


def test_what_cannot_be_done_is_nan(driver: StandIn) -> None:
    good = _definite(4, 4, dtype="f8")
    both = jitgrad.device_put(np.stack([good, -good, good]), "cuda")
    found = np.asarray(jitgrad.jit(jnp.linalg.cholesky)(both))
    np.testing.assert_allclose(found[::2], np.linalg.cholesky(np.stack([good, good])), rtol=1e-12)
    assert np.isnan(found[1]).all()
    assert np.isnan(np.asarray(jnp.linalg.cholesky(both[1]))).all()


@pytest.mark.parametrize("f", [jnp.linalg.eigh, jnp.linalg.svd, jnp.linalg.eigvalsh])
def test_matrices_that_are_not_finite_give_nan_and_others_numbers(f: Callable[..., Any], driver: StandIn) -> None:
    x = np.stack([_definite(4, 4, dtype="f4")] * 2)
    x[0, 1, 2] = np.inf
    for leaf in jitgrad.tree.leaves(jitgrad.jit(f)(jitgrad.device_put(x, "cuda"))):
        assert np.isnan(np.asarray(leaf)[0]).all() and np.isfinite(np.asarray(leaf)[1]).all()


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (40, 40)])
@pytest.mark.parametrize("f", [jnp.linalg.eigh, jnp.linalg.svd])
def test_what_does_not_converge_is_nan(f: Callable[..., Any], shape: tuple[int, ...], driver: StandIn) -> None:
    driver.libraries["cusolver"].info = 3
    for leaf in jitgrad.tree.leaves(jitgrad.jit(f)(jitgrad.device_put(_definite(*shape, dtype="f8"), "cuda"))):
        assert np.isnan(np.asarray(leaf)).all()


def test_a_checked_function_says_that_a_matrix_is_not_positive_definite(driver: StandIn) -> None:
    good = _definite(4, 4, dtype="f8")
    with jitgrad.debug.checked("linalg"):
        found = jitgrad.jit(jnp.linalg.cholesky)(jitgrad.device_put(good, "cuda"))
        np.testing.assert_allclose(found, np.linalg.cholesky(good), rtol=1e-12)
        with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
            jitgrad.jit(jnp.linalg.cholesky)(jitgrad.device_put(-good, "cuda")).block_until_ready()
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            jitgrad.jit(jnp.linalg.solve)(*jitgrad.device_put((0 * good, good), "cuda")).block_until_ready()


def test_small_matrices_are_done_together_and_large_ones_one_by_one(driver: StandIn) -> None:
    for shape, name in (((3, 8, 8), "cusolverDnDpotrfBatched"), ((3, 300, 300), "cusolverDnDpotrf"), ((8, 8), "cusolverDnDpotrf")):
        driver.libraries["cusolver"].calls.clear()
        jitgrad.jit(jnp.linalg.cholesky)(jitgrad.device_put(_definite(*shape, dtype="f8"), "cuda")).block_until_ready()
        calls = driver.libraries["cusolver"].calls
        assert calls[name] == (3 if shape[-1] == 300 else 1), calls


def test_an_older_library_finds_eigenvalues_one_by_one(driver: StandIn) -> None:
    driver.libraries["cusolver"].missing = ("cusolverDnXsyevBatched",)
    x = _definite(3, 4, 4, dtype="f8")
    found = jitgrad.jit(jnp.linalg.eigvalsh)(jitgrad.device_put(x, "cuda"))
    np.testing.assert_allclose(found, np.linalg.eigvalsh(x), rtol=1e-12)
    assert driver.libraries["cusolver"].calls["cusolverDnDsyevd"] == 3


def test_many_small_matrices_without_a_function_for_many_go_to_the_processor(driver: StandIn) -> None:
    x = numbers(65, 5, 3)
    q, r = jitgrad.jit(jnp.linalg.qr)(jitgrad.device_put(x, "cuda"))
    np.testing.assert_allclose(np.asarray(q @ r), x, atol=1e-12)
    assert not any("qrf" in name for name in _calls(driver))


def test_gradients_stay_on_the_device(driver: StandIn) -> None:
    x = _definite(5, 5, dtype="f8")
    f = jitgrad.grad(lambda x: jnp.linalg.cholesky(x).sum() + jnp.linalg.solve(x, x[0]).sum() + jnp.linalg.slogdet(x)[1])
    with jitgrad.default_device("cpu"):
        expected = np.asarray(jitgrad.jit(f)(x))
    compiled = jitgrad.jit(f)
    np.testing.assert_allclose(compiled(jitgrad.device_put(x, "cuda")), expected, rtol=1e-9)


def test_a_loop_with_a_factorization_inside_is_the_processors(driver: StandIn) -> None:
    x = _definite(4, 4, dtype="f8")
    f = jitgrad.jit(lambda x: lax.fori_loop(0, 3, lambda _, a: jnp.linalg.cholesky(a @ a.T + jnp.eye(4)), x))
    with jitgrad.default_device("cpu"):
        expected = np.asarray(f(x))
    np.testing.assert_allclose(f(jitgrad.device_put(x, "cuda")), expected, rtol=1e-10)


@pytest.mark.parametrize("status, error, words", [(3, DriverError, "Dpotrf gave status 3"), (2, OutOfDeviceMemory, "no memory")])
def test_a_refusal_names_the_function_and_all_works_on(status: int, error: type, words: str, driver: StandIn) -> None:
    x = jitgrad.device_put(_definite(4, 4, dtype="f8"), "cuda")
    driver.libraries["cusolver"].refuses["cusolverDnDpotrf"] = status
    with pytest.raises(error, match=words):
        jnp.linalg.cholesky(x)
    np.testing.assert_allclose(jnp.linalg.cholesky(x), np.linalg.cholesky(np.asarray(x)), rtol=1e-12)


def test_a_library_that_does_not_start_is_named_and_the_processor_does_it(driver: StandIn) -> None:
    x = _definite(4, 4, dtype="f8")
    driver.libraries["cusolver"].refuses["cusolverDnCreate"] = 1
    with pytest.warns(RuntimeWarning, match="cusolverDnCreate gave status 1"):
        found = jitgrad.jit(jnp.linalg.cholesky)(jitgrad.device_put(x, "cuda"))
    np.testing.assert_allclose(found, np.linalg.cholesky(x), rtol=1e-12)


def test_functions_have_the_parameters_of_the_headers() -> None:
    """Those of the stand-ins were written down from the headers, and bear their names."""
    assert set(SIGNATURES) == set(_written_down())
    for name, count in _written_down().items():
        assert len(SIGNATURES[name]) == count, name


def _written_down() -> dict[str, int]:
    """The stand-ins' functions, and how many parameters each has."""
    found = {}
    for library in (CuSolver, CuBlas):
        for name, f in vars(library).items():
            parameters = len(inspect.signature(f).parameters) - 1 if callable(f) else 0
            if name.startswith("plain_"):
                found[name.removeprefix("plain_")] = parameters
            elif name.startswith("of_") and name[3:5] not in ("un", "he"):
                spelled = name[3:].replace("orgqr", "{or}gqr").replace("syevd", "{sy}evd")
                found[f"{library.prefix}{{t}}{spelled}"] = parameters - 1
    return found
