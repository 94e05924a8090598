"""Compiled programs as they are called: memory of outputs, odd operands, threads, donation; programs that once came out wrong."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from jitgrad_compiler.ir import interpret, parse
from jitgrad_compiler.ir.types import F32, F64, I16, I32, I64, U8
from jitgrad_compiler.runtime.buffers import allocate
from jitgrad_compiler.runtime.executable import SHARED_BELOW, Executable, Held, address_of, compile_graph, run_graph

from .agreement import assert_same
from .op_examples import draw

DOUBLE = "graph(a:f32[1000,30]) {\n  b:f32[1000,30] = add a a\n  return b\n}"


def array_of(held: Held, graph_type: object) -> np.ndarray:
    return held.array(graph_type)  # type: ignore[arg-type]


def test_equal_graphs_are_compiled_once_for_each_set_of_donated_inputs() -> None:
    graph = parse(DOUBLE)
    assert compile_graph(graph) is compile_graph(graph)
    assert compile_graph(graph) is not compile_graph(graph, (0,))
    assert compile_graph(parse(DOUBLE)) is compile_graph(graph)


def test_outputs_are_read_only_and_live_without_the_program() -> None:
    (out,) = run_graph(parse(DOUBLE), [np.ones((1000, 30), np.float32)])
    gc.collect()
    assert not out.flags.writeable
    others = [run_graph(parse(DOUBLE), [np.zeros((1000, 30), np.float32)]) for _ in range(3)]
    assert (out == 2).all() and len(others) == 3
    with pytest.raises(ValueError, match="read-only"):
        out[0] = 1


def test_small_outputs_share_one_buffer_and_large_ones_have_their_own() -> None:
    graph = parse(
        "graph(a:f32[2000]) {\n  b:f32[] = reduce_sum a [axes=(0,)]\n  c:f32[2000] = neg a\n"
        "  d:f32[7] = slice a [limit=(7,), start=(0,), strides=(1,)]\n"
        "  e:f32[0] = slice a [limit=(0,), start=(0,), strides=(1,)]\n  return b c d e\n}"
    )
    program = compile_graph(graph)
    assert isinstance(program, Executable)
    x = np.arange(2000, dtype=np.float32)
    address, kept = address_of(x)
    held = program.run([address])
    small = [h.buffer for h in (held[0], held[2], held[3])]
    assert all(b is small[0] for b in small) and held[1].buffer is not small[0]
    assert small[0].nbytes <= SHARED_BELOW and all(h.address % 64 == 0 for h in held)
    del kept
    for h, v, want in zip(held, graph.outputs, interpret(graph, x), strict=True):
        np.testing.assert_allclose(h.array(v.type), want, rtol=1e-5)


@pytest.mark.parametrize("order", ["transposed", "strided", "reversed", "unaligned", "fortran"])
def test_operands_may_lie_in_memory_in_any_way(order: str) -> None:
    graph = parse("graph(a:f32[30,20]) {\n  b:f32[30,20] = neg a\n  return b\n}")
    x = np.arange(600, dtype=np.float32).reshape(30, 20)
    raw = np.zeros(2401, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(30, 20)
    unaligned[:] = x
    odd = {
        "transposed": np.ascontiguousarray(x.T).T, "strided": np.repeat(x, 2, axis=1)[:, ::2], "reversed": x[::-1].copy()[::-1],
        "unaligned": unaligned, "fortran": np.asfortranarray(x),
    }[order]  # fmt: skip
    (got,) = run_graph(graph, [odd])
    assert_same(got, -x)


def test_an_output_is_never_the_callers_memory() -> None:
    graph = parse("graph(a:f32[5]) {\n  return a a 1.5:f32\n}")
    x = np.arange(5, dtype=np.float32)
    one, two, number = run_graph(graph, [x])
    x[:] = 9
    assert one.tolist() == two.tolist() == [0, 1, 2, 3, 4] and number == 1.5
    assert not np.shares_memory(one, x) and not np.shares_memory(one, two)


def test_a_donated_input_gives_its_memory_to_the_output() -> None:
    graph = parse(DOUBLE)
    program = compile_graph(graph, (0,))
    assert isinstance(program, Executable)
    buffer = allocate(graph.inputs[0].type.nbytes)
    x = np.frombuffer((np.ctypeslib.ctypes.c_char * buffer.nbytes).from_address(buffer.address), np.float32)
    x[:] = 3
    (out,) = program.run([buffer.address], [Held(buffer.address, buffer)])
    assert out.address == buffer.address and (out.array(graph.outputs[0].type) == 6).all()
    (kept,) = program.run([buffer.address], [None])
    assert kept.address != buffer.address and (kept.array(graph.outputs[0].type) == 12).all()


def test_two_threads_call_one_program_at_the_same_time() -> None:
    graph = parse(
        "graph(a:f32[300,300]) {\n  b:f32[300,300] = dot_general a a [dims=(((1,), (1,)), ((), ()))]\n"
        "  c:f32[300] = reduce_sum b [axes=(1,)]\n"
        "  d:f32[300,300] = broadcast c [dims=(0,), shape=(300, 300)]\n  e:f32[300,300] = sub b d\n  return e\n}"
    )
    inputs = [np.random.default_rng(n).normal(size=(300, 300)).astype(np.float32) for n in range(2)]
    wanted = [run_graph(graph, [x])[0] for x in inputs]
    failures: list[str] = []

    def calls(n: int) -> None:
        for _ in range(20):
            if not np.array_equal(run_graph(graph, [inputs[n]])[0], wanted[n]):
                failures.append(f"thread {n} got other numbers")

    workers = [threading.Thread(target=calls, args=(n,)) for n in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not failures


ONCE_WRONG = {
    "argmax along the first axis": "graph(a:f32[33,3]) {\n  b:i32[3] = argmax a [axis=0, dtype='i32']\n  return b\n}",
    "an argmax beside a row's maximum that is used": """graph(a:f32[33,20]) {
  b:i64[20] = argmax a [axis=0, dtype='i64']
  c:f32[33] = reduce_max a [axes=(1,)]
  d:f32[33,20] = broadcast c [dims=(0,), shape=(33, 20)]
  e:f32[33,20] = sub a d
  return b e
}""",
    "a sum of sums of rows over some of the rows": """graph(a:f32[16,3,16]) {
  b:f32[16,3] = reduce_sum a [axes=(2,)]
  c:f32[3] = reduce_sum b [axes=(0,)]
  return b c
}""",
    "an argmax beside a sum over more axes": """graph(a:f32[4,5,6]) {
  b:i32[5,6] = argmax a [axis=0, dtype='i32']
  c:f32[6] = reduce_sum a [axes=(0, 1)]
  return b c
}""",
    "sums over many sets of axes": """graph(a:f32[5,19,40]) {
  b:f32[5] = reduce_sum a [axes=(1, 2)]
  c:f32[5,19] = reduce_sum a [axes=(2,)]
  d:f32[19] = reduce_sum a [axes=(0, 2)]
  e:f32[5,40] = reduce_sum a [axes=(1,)]
  f:f32[] = reduce_sum a [axes=(0, 1, 2)]
  return b c d e f
}""",
    "a maximum over the first axis, broadcast back": """graph(a:f32[16,3,1]) {
  b:f32[3,1] = reduce_max a [axes=(0,)]
  c:f32[16,3,1] = broadcast b [dims=(1, 2), shape=(16, 3, 1)]
  d:f32[16,3,1] = neg c
  return b c d
}""",
    "a scatter into zeros beside loops that read its result": """graph(a:f32[64,100], b:i32[64,1]) {
  c:f32[64,100] = broadcast 0.0:f32 [dims=(), shape=(64, 100)]
  d:f32[64] = reduce_max a [axes=(1,)]
  e:f32[64,100] = scatter c b d [axes=(1,), batch=1, kind='add']
  f:f32[64,100] = mul e a
  g:f32[64,100] = add f e
  return g
}""",
    "empty arrays beside a large output": """graph(a:f32[33,1,40]) {
  b:f32[0,0,0] = slice a [limit=(0, 0, 0), start=(0, 0, 0), strides=(1, 1, 1)]
  c:f32[0,0,0] = reverse b [axes=(0,)]
  d:f32[] = reduce_sum c [axes=(0, 1, 2)]
  return c a d
}""",
    "a sum of nothing for each of some rows": """graph(a:f32[3,0]) {
  b:f32[3] = reduce_sum a [axes=(1,)]
  c:f32[3] = add b 1.0:f32
  return c
}""",
    "a sum of eight places of which some are outside a concatenation": """graph(a:f32[1]) {
  b:f32[2] = concatenate a a [axis=0]
  c:f32[6] = pad b 1.0:f32 [padding=((2, 2, 0),)]
  d:f32[] = reduce_sum c [axes=(0,)]
  return d
}""",
    "whether any of a short row is true, used by dear work": """graph(a:f32[37,9]) {
  b:bool[37,9] = gt a 1.5:f32
  c:bool[37] = reduce_or b [axes=(1,)]
  d:f32[37] = convert_element_type c [dtype='f32']
  e:f32[37] = tanh d
  f:f32[37] = exp e
  return f
}""",
}


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_a_program_that_was_wrong_is_right(name: str) -> None:
    graph = parse(ONCE_WRONG[name])
    rng = np.random.default_rng(0)
    arrays = [draw(t, rng) if t.dtype == F32 else rng.integers(0, 9, t.shape).astype(t.dtype.numpy) for t in graph.input_types]
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


NARROW = [(I32, U8), (I64, U8), (I64, I32), (I32, I16), (F32, U8), (F64, I16), (U8, U8)]


@pytest.mark.parametrize(("source", "target"), NARROW)
@pytest.mark.parametrize("extent", [1, 9, 17, 33])
def test_the_last_element_of_a_narrow_array_is_written_and_nothing_behind_it(source: str, target: str, extent: int) -> None:
    """A truncated number stored under a mask of one constant lane came out as wide as it had been."""
    text = (
        f"graph(a:{source}[{extent}], b:{source}[{extent}]) {{\n  c:{source}[{extent}] = mul a b\n"
        f"  d:{target}[{extent}] = convert_element_type c [dtype='{target}']\n  return d\n}}"
    )
    graph = parse(text)
    program = compile_graph(graph, (0, 1))
    assert isinstance(program, Executable)
    x = np.arange(extent).astype(source.numpy)
    size = graph.outputs[0].type.nbytes
    out = allocate(size + 64)
    memory = np.frombuffer((np.ctypeslib.ctypes.c_uint8 * (size + 64)).from_address(out.address), np.uint8)
    memory[:] = 0xAA
    entry = program._entry
    (address, _), (other, _) = address_of(x), address_of(x)
    entry(program._pack(program.program.plan, address, other, out.address, 0))
    assert_same(memory[:size].view(target.numpy), interpret(graph, x, x)[0])
    assert (memory[size:] == 0xAA).all()
