"""The contract kernel of the CPU target against NumPy in float64."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad_compiler.ir.types import F32, F64, I32, DType
from jitgrad_compiler.kernels.tuning import Contraction as Tuned
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.targets.cpu.contract.blocking import Strides, choose_blocking
from jitgrad_compiler.targets.cpu.contract.contraction import ContractPlan, ContractSpec, PlainMatrix, emit_contract
from jitgrad_compiler.targets.cpu.contract.operands import Digit
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module, Reg

TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
AVX2 = Tuning(contraction=Tuned(registers=8, cache_bytes=1 << 18))
LAYOUTS = list(itertools.product("mk", "kn"))


def _line(stride: int) -> tuple[Digit, ...]:
    """An index whose elements are evenly spaced."""
    return (Digit(0, stride),)


class Contraction:
    """A compiled contraction of random matrices, with NaN around and in everything it has to write."""

    def __init__(self, spec: ContractSpec, hooks: bool = False, tuning: Tuning | None = None) -> None:
        self.spec = spec
        self.hooks = hooks
        dtype = np.float32 if spec.dtype == F32 else np.float64
        random = np.random.default_rng(spec.m * 7919 + spec.n * 101 + spec.k)
        a_shape = (spec.m, spec.k) if spec.a_contiguous == "k" else (spec.k, spec.m)
        b_shape = (spec.k, spec.n) if spec.b_contiguous == "n" else (spec.n, spec.k)
        self.a = random.standard_normal((spec.batch, *a_shape)).astype(dtype)
        self.b = random.standard_normal((spec.batch, *b_shape)).astype(dtype)
        self.bias = random.standard_normal(spec.n).astype(dtype)
        self.guarded = np.empty(spec.batch * spec.m * spec.n + 64, dtype)
        self.c = self.guarded[:-64].reshape(spec.batch, spec.m, spec.n)
        self.plan = self._compile(tuning)
        scratch = np.full(self.plan.scratch_bytes + 64, 0xFF, np.uint8)  # NaN in either type
        start = scratch.ctypes.data + -scratch.ctypes.data % 64
        self.pointers = np.array([x.ctypes.data for x in (self.a, self.b, self.c, self.bias)] + [start], np.uint64)
        self.keep = scratch

    def _compile(self, tuning: Tuning | None) -> ContractPlan:
        spec, module = self.spec, Module(tuning=tuning)
        pointers: list[Reg] = []

        def prepare(e: Emitter, args: Reg) -> None:
            pointers[:] = [e.get(e.offset(args, i, "ptr"), "ptr") for i in range(5)]

        def plain(which: int, size: int, row: int, column: int) -> PlainMatrix:
            return PlainMatrix(
                lambda e, batch: e.offset(pointers[which], e.mul(batch, size), spec.dtype), _line(row), _line(column)
            )

        a = plain(0, spec.m * spec.k, *((spec.k, 1) if spec.a_contiguous == "k" else (1, spec.m)))
        b = plain(1, spec.k * spec.n, *((spec.n, 1) if spec.b_contiguous == "n" else (1, spec.k)))
        c = plain(2, spec.m * spec.n, spec.n, 1)

        def at(e: Emitter, matrix: PlainMatrix, batch: Reg, row: Reg, column: Reg) -> Reg:
            return e.offset(matrix.pointer(e, batch), e.add(e.mul(row, matrix.row), e.mul(column, matrix.column)), spec.dtype)

        def load_a(e: Emitter, batch: Reg, row: Reg, column: Reg, width: int, along: str, mask: Reg | None) -> Reg:
            return e.mul(e.load(at(e, a, batch, row, column), spec.dtype, width, mask), 2.0)

        def load_b(e: Emitter, batch: Reg, row: Reg, column: Reg, width: int, along: str, mask: Reg | None) -> Reg:
            return e.add(e.load(at(e, b, batch, row, column), spec.dtype, width, mask), 1.0)

        def store(e: Emitter, batch: Reg, i: Reg, j: Reg, value: Reg, mask: Reg | None) -> None:
            bias = e.load(e.offset(pointers[3], j, spec.dtype), spec.dtype, value.width, mask)
            e.store(at(e, c, batch, i, j), e.add(value, bias), mask)

        common = {"prepare": prepare, "scratch": lambda e: pointers[4]}
        if self.hooks:
            plan = emit_contract(module, "product", spec, load_a, load_b, store, **common)
        else:
            plan = emit_contract(module, "product", spec, None, None, None, a_plain=a, b_plain=b, c_plain=c, **common)
        self.native = compile_ir(module.text())
        self.phases = [(TASK(self.native.address(name)), tasks) for name, tasks in plan.phases]
        return plan

    def run(self, ranges: Callable[[int], Iterable[tuple[int, int]]] = lambda tasks: [(0, tasks)]) -> np.ndarray:
        self.guarded[:] = np.nan
        for function, tasks in self.phases:
            for begin, end in ranges(tasks):
                function(self.pointers.ctypes.data, begin, end)
        assert np.isnan(self.guarded[-64:]).all(), "wrote behind C"
        return self.c.copy()

    def expected(self) -> np.ndarray:
        a, b = self.a.astype(np.float64), self.b.astype(np.float64)
        a = a if self.spec.a_contiguous == "k" else a.swapaxes(1, 2)
        b = b if self.spec.b_contiguous == "n" else b.swapaxes(1, 2)
        return (2 * a) @ (b + 1) + self.bias if self.hooks else a @ b

    def check(self) -> None:
        """Against the sum in float64, with the error that rounding in order allows: sqrt(K) eps times the size of the terms."""
        scale = 8.0 * (1 + self.spec.k) ** 0.5 if self.hooks else (1 + self.spec.k) ** 0.5
        eps = np.finfo(self.a.dtype).eps
        np.testing.assert_allclose(self.run(), self.expected(), rtol=0, atol=eps * 6 * scale * max(1.0, self.spec.k**0.5))


def one_by_one_backwards(tasks: int) -> list[tuple[int, int]]:
    return [(task, task + 1) for task in reversed(range(tasks))]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize(("a_contiguous", "b_contiguous"), LAYOUTS)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (2, 17, 33, 65), (1, 31, 97, 401), (1, 130, 70, 61), (3, 15, 16, 7), (2, 29, 40, 1024)]
)
def test_a_product_in_any_layout_is_the_sum_over_k(
    shape: tuple[int, int, int, int], a_contiguous: str, b_contiguous: str, dtype: DType
) -> None:
    Contraction(ContractSpec(*shape, dtype, a_contiguous, b_contiguous)).check()


@pytest.mark.parametrize(("a_contiguous", "b_contiguous"), LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 5, 3, 2), (2, 40, 50, 60), (1, 33, 47, 800)])
def test_prologues_and_an_epilogue_are_applied_to_every_element_once(
    shape: tuple[int, int, int, int], a_contiguous: str, b_contiguous: str
) -> None:
    Contraction(ContractSpec(*shape, F32, a_contiguous, b_contiguous), hooks=True).check()


@settings(max_examples=40)
@given(
    batch=st.integers(1, 3), m=st.integers(1, 70), n=st.integers(1, 70), k=st.integers(1, 70),
    dtype=st.sampled_from([F32, F64]), layout=st.sampled_from(LAYOUTS), hooks=st.booleans(),
    tuning=st.sampled_from([Tuning(), AVX2]),
)  # fmt: skip
def test_small_products_of_any_size_are_right(
    batch: int, m: int, n: int, k: int, dtype: DType, layout: tuple[str, str], hooks: bool, tuning: Tuning
) -> None:
    Contraction(ContractSpec(batch, m, n, k, dtype, *layout), hooks, tuning).check()


@pytest.mark.parametrize(("a_contiguous", "b_contiguous"), LAYOUTS)
@pytest.mark.parametrize("hooks", [False, True])
def test_large_products_with_both_operands_packed_are_right(a_contiguous: str, b_contiguous: str, hooks: bool) -> None:
    contraction = Contraction(ContractSpec(1, 523, 541, 1024, F32, a_contiguous, b_contiguous), hooks)
    assert [name for name, _ in contraction.plan.phases] == ["product_pack", "product"]
    contraction.check()


@pytest.mark.parametrize(("a_contiguous", "b_contiguous"), LAYOUTS)
@pytest.mark.parametrize("hooks", [False, True])
def test_few_outputs_of_a_long_sum_are_cut_along_k_and_added(a_contiguous: str, b_contiguous: str, hooks: bool) -> None:
    contraction = Contraction(ContractSpec(1, 90, 11, 20011, F32, a_contiguous, b_contiguous), hooks)
    assert contraction.plan.phases[-1][0] == "product_add"
    contraction.check()


def test_a_last_chunk_with_fewer_blocks_of_k_is_right() -> None:
    Contraction(ContractSpec(1, 100, 10, 6250, F64, "k", "n"), tuning=AVX2).check()


@pytest.mark.parametrize("hooks", [False, True])
def test_an_empty_sum_is_zero_and_gets_its_epilogue(hooks: bool) -> None:
    contraction = Contraction(ContractSpec(2, 9, 20, 0), hooks)
    np.testing.assert_array_equal(contraction.run(), contraction.expected())


@pytest.mark.parametrize("shape", [(1, 300, 310, 900), (1, 60, 40, 9001), (12, 96, 80, 100), (1, 700, 33, 400)])
@pytest.mark.parametrize(("a_contiguous", "b_contiguous"), LAYOUTS)
def test_bits_do_not_depend_on_the_order_of_tasks(shape: tuple[int, int, int, int], a_contiguous: str, b_contiguous: str) -> None:
    contraction = Contraction(ContractSpec(*shape, F32, a_contiguous, b_contiguous))
    np.testing.assert_array_equal(contraction.run(), contraction.run(one_by_one_backwards))


@pytest.mark.parametrize("shape", [(1, 131, 210, 900), (1, 60, 40, 9001), (4, 96, 80, 100)])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_bits_do_not_depend_on_tiles_and_caches(shape: tuple[int, int, int, int], dtype: DType) -> None:
    spec = ContractSpec(*shape, dtype)
    np.testing.assert_array_equal(Contraction(spec).run(), Contraction(spec, tuning=AVX2).run())


def test_bits_do_not_depend_on_the_layout() -> None:
    results = []
    for layout in LAYOUTS:
        contraction = Contraction(ContractSpec(1, 200, 170, 1030, F32, *layout))
        random = np.random.default_rng(0)
        a, b = random.standard_normal((200, 1030)).astype(np.float32), random.standard_normal((1030, 170)).astype(np.float32)
        contraction.a[0] = a if layout[0] == "k" else a.T
        contraction.b[0] = b if layout[1] == "n" else b.T
        results.append(contraction.run())
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_nan_and_infinity_reach_exactly_the_elements_that_sum_over_them() -> None:
    contraction = Contraction(ContractSpec(1, 40, 37, 50, F32, "m", "k"))
    contraction.a[0, 3, 39] = np.nan
    contraction.b[0, 36, 7] = np.inf
    result = contraction.run()[0]
    assert np.isnan(result[39]).all()
    assert np.isinf(result[:39, 36]).all()
    assert np.isfinite(result[:39, :36]).all()


def test_a_tiny_product_is_one_task_without_scratch() -> None:
    contraction = Contraction(ContractSpec(1, 32, 10, 4))
    assert contraction.plan == ContractPlan([("product", 1)], 0)


def test_contractions_of_one_module_share_their_tiles() -> None:
    module = Module()
    plain = PlainMatrix(lambda e, batch: e.args[0], _line(64), _line(1))
    for name in ("first", "second"):
        emit_contract(
            module, name, ContractSpec(1, 28, 64, 64), None, None, None, prepare=lambda e, args: None,
            scratch=lambda e: e.args[0], a_plain=plain, b_plain=plain, c_plain=plain,
        )  # fmt: skip
    assert module.text().count("define void @tile_") == 1


def test_an_operand_without_hook_and_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a hook nor plain memory"):
        spec = ContractSpec(1, 2, 2, 2)
        emit_contract(Module(), "product", spec, None, None, None, prepare=lambda e, args: None, scratch=lambda e: e.args[0])


@pytest.mark.parametrize("spec", [{"dtype": I32}, {"a_contiguous": "n"}, {"b_contiguous": "m"}, {"m": 0}])
def test_a_contraction_without_a_kernel_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="contract: "):
        ContractSpec(**({"batch": 1, "m": 2, "n": 2, "k": 2} | spec))  # type: ignore[arg-type]


def test_rows_of_a_large_operand_in_place_are_asked_for_a_tile_before() -> None:
    def text(rows: int, apart: int) -> str:
        module = Module()
        matrices = [PlainMatrix(lambda e, b: e.args[0], (Digit(n, s),), (Digit(m, 1),)) for n, s, m in
                    ((rows, apart, 96), (96, 64, 64), (rows, 64, 64))]  # fmt: skip
        a, b, c = matrices
        emit_contract(
            module, "product", ContractSpec(1, rows, 64, 96), None, None, None, prepare=lambda e, args: None,
            scratch=lambda e: e.args[0], a_plain=a, b_plain=b, c_plain=c,
        )  # fmt: skip
        return module.text()

    assert "_on(" in text(8192, 96)
    assert "_on(" not in text(256, 96), "what lies in the cache needs no asking for"
    assert "_on(" not in text(8192, 4112), "rows on pages of their own are asked for in vain"


def test_rows_that_drive_each_other_out_of_the_cache_are_copied() -> None:
    def copied(rows: int, apart: int, columns: int = 64) -> bool:
        spec = ContractSpec(1, rows, columns, 128)
        return choose_blocking(spec, Tuning().contraction, Strides(apart, 1), Strides(columns, 1)).pack_a

    assert copied(100, 1024) and copied(13, 2048)
    assert not copied(100, 1040), "their lines are in other sets"
    assert not copied(100, 0), "all rows are one"
    assert not copied(8, 1024), "a set has room for all rows of a tile"
    assert not copied(100, 1024, columns=16), "each line is read once"
