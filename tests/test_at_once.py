"""Functions outside jitgrad.numpy that are done at once or replayed: what they give again is what their operations give, to
the bit, and they raise what those raise. jitgrad.numpy's own: tests/numpy/test_counterparts.py.
"""

import itertools
import threading

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import at_once, lax, nn, replay
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.lax import contraction, counterparts, elementwise, shapes, slicing
from jitgrad.nn import losses
from jitgrad.scipy import linalg, special, stats
from jitgrad.scipy.special.counterparts import COUNTERPARTS as OF_SPECIALS
from tests.lax.function_table import ROWS as OF_LAX
from tests.linear_algebra.function_table import ROWS as OF_MATRICES
from tests.nn.test_every_function import ROWS as OF_NN
from tests.numpy.test_counterparts import DTYPES, array, check, known, the_same
from tests.numpy.test_every_function import each_call
from tests.scipy.test_every_function import ROWS as OF_SCIPY
from tests.scipy.test_every_special import ROWS as OF_SPECIAL

LAX = {f.__wrapped__.__name__: f.__wrapped__ for f in vars(lax).values() if getattr(f, "__wrapped__", None) in known()}
SPECIAL = {f.__wrapped__.__name__: f.__wrapped__ for f in vars(special).values() if getattr(f, "__wrapped__", None) in known()}
OF_MORE = {*counterparts.COUNTERPARTS, contraction.dot, elementwise.round}
ONE_OP = [
    pytest.param(f, id=f"{f.__module__}.{name}")
    for module in (LAX, SPECIAL)
    for name, f in module.items()
    if f not in {*OF_MORE, *OF_SPECIALS}
]


@pytest.mark.parametrize("function", ONE_OP)
def test_functions_that_are_one_op_give_what_the_op_gives(function):
    used = 0
    for dtype, shape in itertools.product(DTYPES, [(), (0,), (4,), (3, 0), (5, 7)]):
        x = array(dtype, shape)
        if function.__code__.co_argcount == 1:
            used += check(function, x) + (len(shape) == 2 and check(function, x.T)) + (shape == (4,) and check(function, x[::-2]))
            continue
        used += check(function, x, array(dtype, shape)) + check(function, x, array("float64", shape))
        for number in (2, 2.0, -1, 0, 0.5, True, -0.0, float("nan"), 1e300, 300) if shape == (4,) else ():
            used += check(function, x, number) + check(function, number, x)
    assert used


def test_windows_are_those_of_the_operations():
    used = {}

    def note(f, *args, **kwargs):
        used[f.__name__] = used.get(f.__name__, 0) + check(f, *args, **kwargs)

    for dtype, shape in itertools.product(DTYPES, [(4, 5), (1, 1), (3, 0)]):
        x, row, column = array(dtype, shape), array(dtype, (1, shape[1])), array(dtype, (shape[0], 1))
        for start in (0, 1, -1, 9, -9, jnp.array(1), jnp.array(-2, "int8"), jnp.array(2, "uint8"), jnp.array([1]), jnp.array(1.0)):
            for made in (x, x.T.T, x[::-1]):
                note(slicing.dynamic_slice, made, (start, 0), (1, min(2, shape[1])))
                note(slicing.dynamic_slice, made, [0, start], (1, 1))
                note(slicing.dynamic_slice_in_dim, made, start, 1)
                note(slicing.dynamic_slice_in_dim, made, start, 1, axis=-1)
                note(slicing.dynamic_index_in_dim, made, start)
                note(slicing.dynamic_index_in_dim, made, start, 1, False)
                note(slicing.dynamic_update_slice, made, row, (start, 0))
                note(slicing.dynamic_update_slice_in_dim, made, row, start, 0)
                note(slicing.dynamic_update_slice_in_dim, made, column, start, axis=-1)
                note(slicing.dynamic_update_index_in_dim, made, row, start, 0)
                note(slicing.dynamic_update_index_in_dim, made, row[0], start, 0)
                note(slicing.dynamic_update_index_in_dim, made, array("float32", (shape[1],)), start, 0)
        note(slicing.dynamic_slice, x, jnp.array([1, 0]), (1, 1))
        note(slicing.dynamic_slice, x, (-1, -1), (1, 1), allow_negative_indices=False)
        for bounds in (((0, 0), shape), ((1, 0), shape), ((0, 0), shape, (2, 1)), ((0, 0), (9, 9)), ((0,), (1,)), ((2, 0), (1, 0))):
            note(slicing.slice, x, *bounds)
        for axes in ((0,), (1,), (0, 1), (-1,), (0, 0), (5,)):
            note(shapes.squeeze, x[:1], axes)
        note(elementwise.round, x)
        for left, right in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((2, 3), (2, 3)), ((2, 2, 2), (2, 2))):
            note(contraction.dot, array(dtype, left, False), array(dtype, right, False))
    assert set(used) == {f.__name__ for f in OF_MORE} and min(used.values()) > 0, used


def test_a_window_outside_is_told_inside_a_checked_block():
    x = jnp.arange(6.0)
    for _ in range(3):
        lax.dynamic_slice(x, (4,), (2,))
    with jitgrad.debug.checked("index"):
        for _ in range(3):
            lax.dynamic_slice(x, (4,), (2,))
        with pytest.raises(jitgrad.errors.IndexingError):
            lax.dynamic_slice(x, (5,), (2,))
    assert lax.dynamic_slice(x, (5,), (2,)).tolist() == [4, 5]


def test_exchanges_of_rows_are_those_of_traced_ones():
    for pivots in ([[2, 2, 2], [0, 1, 2]], [[1, 2, 3]], [[3, 3]], [[0]], [[5, 0]], [[-1, 0]]):
        given = jnp.array(pivots, "int32")
        found = lax.linalg.lu_pivots_to_permutation(given, 4)
        traced = jitgrad.jit(lambda p: lax.linalg.lu_pivots_to_permutation(p, 4))(given)
        assert found.dtype == np.int32 and np.array_equal(found, traced)


ENDS = [0.5, -2.0, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1e38]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [special.sici, special.fresnel, special.wofz])
def test_special_functions_of_several_ops_give_what_these_give_at_the_ends(function, dtype):
    numbers = np.array(ENDS, dtype)
    pairs = np.array([complex(a, b) for a in ENDS for b in ENDS], np.result_type(dtype, np.complex64))
    rows = pairs if function is special.wofz else numbers
    for given in [rows[:2], rows, *rows[:, None]]:
        x = jnp.array(given)
        for _ in range(3):
            found = function(x)
        the_same(found, function.__wrapped__(x))


def test_systems_are_solved_from_factors_at_once_as_by_the_operations():
    a = np.array([[1.0, 4.0, 2.0], [3.0, 0.5, 1.0], [2.0, 5.0, 7.0]], np.float32)
    for dtype in ("float32", "float64", "complex64"):
        factors = linalg.lu_factor(jnp.array(a.astype(dtype)))
        for b in (a[0], a[:, :2], a[:, :0], np.stack([a, a])):
            given = jnp.array(b.astype(dtype))
            for _ in range(3):
                found = linalg.lu_solve(factors, given)
            the_same(found, linalg.lu_solve.__wrapped__(factors, given))
    assert np.allclose(a @ np.asarray(linalg.lu_solve(linalg.lu_factor(jnp.array(a)), jnp.array(a[0]))), a[0], rtol=1e-5)
    outside = jnp.array([3, -1, 2], "int32")
    the_same(linalg.lu_solve((factors[0], outside), given), linalg.lu_solve.__wrapped__((factors[0], outside), given))


def test_exponentials_of_a_matrix_and_of_a_batch_are_those_of_programs():
    small, large = np.array([[0.1, 0.2], [-0.3, 0.4]], np.float32), np.array([[3.0, 9.0], [-20.0, 1.0]], np.float32)
    huge = np.full((2, 2), 1e9, np.float32)
    for a in (small, large, huge, np.full((2, 2), np.nan, np.float32), np.stack([small, large, huge])):
        x = jnp.array(a)
        found = [linalg.expm(x) for _ in range(3)]
        assert found[0].dtype == np.float32
        np.testing.assert_array_equal(found[1], found[0])
        np.testing.assert_array_equal(found[2], found[0])
        np.testing.assert_allclose(found[2], jitgrad.jit(linalg.expm)(x), rtol=2e-4)


TABLES = [
    pytest.param(row.ours or getattr(module, name), name, row, id=f"{getattr(module, '__name__', 'scipy')}.{name} of {row.types}")
    for module, rows in ((lax, OF_LAX), (nn, OF_NN), (special, OF_SPECIAL), (None, OF_SCIPY), (None, OF_MATRICES))
    for row in rows
    for name in row.names.split()[: None if module else 1]
]


@pytest.mark.parametrize(("function", "name", "row"), TABLES)
def test_what_is_called_again_gives_what_its_operations_give(function, name, row, monkeypatch):
    """After two calls on other numbers of the same types."""

    def check(call):
        operands = [jnp.array(x) for x in call.operands]
        others = [jnp.array(np.roll(x, 1)) for x in call.operands]
        for _ in range(2):
            try:
                call(function, *others)
            except Exception:
                break
        found = call(function, *operands)
        with monkeypatch.context() as m:
            m.setattr(at_once, "_elsewhere", True)  # then all goes the long way
            the_same(found, call(function, *operands))

    each_call(name, row, check)


LOGITS = np.array([[0.5, 2.0, -1.0], [1.5, 0.25, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("loss", "good", "bad"),
    [
        (losses.cross_entropy, [0, 2], [0, 3]),
        (losses.nll, [1, 1], [-1, 0]),
        (lambda x, y: losses.binary_cross_entropy_with_logits(x[0], y), [0.0, 1.0, 0.5], [0.0, 2.0, 0.5]),
    ],
)
def test_targets_that_make_no_sense_raise_after_many_that_do(loss, good, bad):
    scores = jnp.array(LOGITS)
    found = [float(loss(scores, jnp.array(good))) for _ in range(5)]
    assert len(set(found)) == 1
    with pytest.raises(ArgumentError, match="must (lie|be)"):
        loss(scores, jnp.array(bad))
    assert float(loss(scores, jnp.array(good))) == found[0]


def test_losses_of_labels_are_written_down():
    now = at_once.at_once(losses.cross_entropy.__wrapped__)
    scores, labels = jnp.array(LOGITS), jnp.array([0, 2])
    assert [now((scores, labels), {}) is None for _ in range(3)] == [True, False, False]
    assert now((scores, jnp.array([0, 3])), {}) is None


def test_what_is_supposed_is_looked_at_again():
    def root(x):
        if not (x >= 0).holds():
            raise ArgumentError("negative")
        return jnp.sqrt(x)

    x = jnp.array([1.0, 4.0])
    again = replay.recorded(root, (x,), {}, [x])
    assert np.array_equal(again(np.array([4.0, 9.0], np.float32)), [2, 3])
    with np.errstate(invalid="ignore"), pytest.raises(replay.NotRecorded):
        again(np.array([4.0, -9.0], np.float32))
    assert np.array_equal(jitgrad.jit(root)(x), [1, 2])
    assert float(jitgrad.grad(lambda x: root(x)[0])(x)[0]) == 0.5


def test_an_axis_of_one_size_does_not_stand_for_another():
    for n in (2, 3, 2, 3, 4):
        mapped = jitgrad.vmap(lambda x: x * lax.psum(1.0, "i") + lax.psum(jnp.ones(2), "i")[0], axis_name="i")
        assert np.array_equal(mapped(jnp.ones(n)), np.full(n, 2.0 * n))


def test_derivatives_batching_and_programs_are_those_of_the_operations():
    x = jnp.array([0.5, 1.5, 2.5])
    for f in (lax.lgamma, nn.gelu, special.betaln, stats.norm.logpdf, lambda x, y: lax.mul(x, y)):
        call = f if f in (lax.lgamma, nn.gelu, stats.norm.logpdf) else lambda v, f=f: f(v, x)
        for _ in range(3):
            now = call(x)
        np.testing.assert_allclose(jitgrad.jit(call)(x), now, rtol=1e-5)
        if call is f:
            np.testing.assert_allclose(jitgrad.vmap(call)(x[:, None]), now[:, None], rtol=1e-6)
            slope = (np.asarray(call(x.astype("float64") + 1e-6)) - np.asarray(call(x.astype("float64") - 1e-6))) / 2e-6
            np.testing.assert_allclose(jitgrad.vmap(jitgrad.grad(call))(x), slope, rtol=1e-3)


def test_weak_types_stay_as_they_are():
    for _ in range(4):
        assert lax.add(1.0, 2.0).weak_type and not lax.add(jnp.array([1.0]), 2.0).weak_type
        assert lax.full_like(jnp.ones(2, "float64"), 3).dtype == np.float64
        assert lax.mul(jnp.ones(2, "bfloat16"), 2.0).dtype == jnp.bfloat16


def test_small_integers_start_slices_of_long_axes():
    x = jnp.arange(200)
    for _ in range(4):
        start = jnp.array(-100, "int8")
        assert lax.dynamic_slice(x, (start,), (2,)).tolist() == [100, 101]
        assert jitgrad.jit(lambda x, i: lax.dynamic_slice(x, (i,), (2,)))(x, start).tolist() == [100, 101]


def test_several_threads_call_one_function_on_many_shapes():
    failed = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(150):
            x = rng.normal(size=rng.integers(0, 7, 2)).astype(np.float32)
            a = jnp.array(x)
            if not np.array_equal(np.asarray(nn.relu(a)), np.maximum(x, 0)) or lax.add(a, a).shape != x.shape:
                failed.append(x)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


def test_what_is_remembered_of_a_function_does_not_grow_without_end():
    x = jnp.array([1.0, 2.0])
    for n in range(2 * at_once.KNOWN):
        lax.mul(x, n), nn.leaky_relu(x, n / 7)
    assert all(len(found) <= at_once.KNOWN for found in at_once._all_known)


def test_a_result_is_an_array_of_its_own_kind():
    for _ in range(4):
        assert type(lax.exp(1.0)) is Array and type(nn.softmax(jnp.ones(3))) is Array


def test_broadcasts_are_left_to_those_that_read_them_and_made_for_others():
    x, v = jnp.array(np.arange(6.0).reshape(2, 3)), jnp.array([1.0, -2.0])

    def several(x, v):
        wide = jnp.broadcast_to(v[:, None], (2, 3))
        both = jnp.where(x > wide, x, wide)  # read beside a whole array
        alone = wide * jnp.broadcast_to(x[:1], (2, 3))  # by none that has the shape
        return both - wide, alone, wide, jnp.flip(jnp.broadcast_to(v[0], (2, 3)), 0), jnp.maximum(x.T, 0.0), jnp.maximum(x, 2.0)

    again = replay.recorded(several, (x, v), {}, [x.data(), v.data()])
    for numbers in (np.array([1.0, -2.0], np.float32), np.array([np.nan, -0.0], np.float32)):
        turned = np.asarray(x).T.copy().T * numbers[1]
        for found, wanted in zip(again(turned, numbers), several(jnp.array(turned), jnp.array(numbers)), strict=True):
            assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
            assert found.tobytes() == np.asarray(wanted).tobytes()
