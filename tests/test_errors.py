"""Mistakes and what is said about them: the exception's class, the function, what was expected and got, the line, the fix."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, float0, grad, hessian, jacfwd, jacrev, jit, jvp, lax, linearize, optim, tree, value_and_grad, vjp, vmap

X3, X4 = jnp.ones(3), jnp.ones(4)
A23 = jnp.ones((2, 3))


def loss(x):
    return jnp.sum(x)


def fails(error, call, *parts, python=None):
    """Check that `call`, a lambda written in a test, raises this error with the parts in its message and the lambda's line."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    line = inspect.getsourcelines(call)[1]
    at, _, number = message.rpartition(":")
    assert at.endswith(f"at {__file__}"), message
    assert line - 4 <= int(number) <= line + 6, message
    assert isinstance(caught.value, errors.JitgradError)
    if python is not None:
        assert isinstance(caught.value, python)


# Shapes

SHAPES = {
    "add": (lambda a, b: a + b, (X3, X4), ["add", "(3,)", "(4,)", "Sizes must be equal or 1"]),
    "compare": (lambda a, b: a < b, (X3, X4), ["less", "(3,)", "(4,)"]),
    "where": (lambda a, b: jnp.where(a > 0, a, b), (X3, X4), ["where", "(3,)", "(4,)"]),
    "numpy operand": (lambda a, b: np.ones(4) * b, (X3, X3), ["multiply", "(4,)", "(3,)"]),
    "matmul": (lambda a, b: a @ b, (A23, A23), ["matmul", "(2, 3) and (2, 3)", "Transpose"]),
    "batched matmul": (lambda a, b: a @ b, (jnp.ones((2, 4, 3)), jnp.ones((3, 3, 4))), ["matmul", "(2,)", "(3,)"]),
    "dot": (jnp.dot, (X3, X4), ["dot", "(3,)", "(4,)"]),
    "tensordot": (lambda a, b: jnp.tensordot(a, b, 1), (A23, A23), ["tensordot", "(2, 3)"]),
    "einsum": (lambda a, b: jnp.einsum("ij,jk->ik", a, b), (A23, A23), ["einsum", "'j'", "3 and 2"]),
    "concatenate": (lambda a, b: jnp.concatenate([a, b], 1), (A23, jnp.ones((3, 3))), ["concatenate", "(2, 3)", "(3, 3)"]),
    "stack": (lambda a, b: jnp.stack([a, b]), (X3, X4), ["stack", "(3,)", "(4,)", "concatenate"]),
    "reshape": (lambda a, b: a.reshape(2, 2), (X3, X3), ["reshape", "(3,)", "(2, 2)", "-1"]),
    "broadcast_to": (lambda a, b: jnp.broadcast_to(a, (4,)), (X3, X3), ["broadcast_to", "(3,)", "(4,)"]),
    "set": (lambda a, b: a.at[:2].set(b), (X4, X3), ["at[", "(3,)", "(2,)"]),
    "scatter add": (lambda a, b: a.at[jnp.array([0, 1])].add(b), (X4, X3), ["at[", "(3,)", "(2,)"]),
    "lax.add": (lax.add, (X3, X4), ["lax.add", "(3,)", "(4,)"]),
    "lax.dot_general": (lambda a, b: lax.dot_general(a, b, (((0,), (0,)), ((), ()))), (X3, X4), ["dot_general", "(3,)", "(4,)"]),
    "mask": (lambda a, b: a[np.array([True, False])], (X3, X3), ["indexing", "size 2", "size 3"]),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "mode", [lambda f: f, jit, lambda f: grad(lambda a, b: jnp.sum(f(a, b)) * 1.0)], ids=["eager", "jit", "grad"]
)
def test_shapes_that_do_not_fit_are_never_computed(name, mode):
    f, args, parts = SHAPES[name]
    with pytest.raises(errors.ShapeError) as caught:
        mode(f)(*args)
    assert isinstance(caught.value, ValueError)
    for part in [*parts, f"at {__file__}:"]:
        assert part in str(caught.value)


def test_shapes_that_fit_one_call_are_checked_again_in_the_next():
    f = jit(lambda a, b: a + b)
    f(X3, X3)
    fails(errors.ShapeError, lambda: f(X3, X4), "add", "(3,) and (4,)")


def test_shapes_of_batched_functions_are_those_of_one_example():
    fails(errors.ShapeError, lambda: vmap(lambda a, b: a @ b, (0, None))(jnp.ones((5, 2, 3)), A23), "matmul", "(2, 3) and (2, 3)")


def test_an_axis_that_does_not_exist_is_named():
    fails(errors.ArgumentError, lambda: jit(lambda x: x.sum(2))(A23), "sum", "axis 2", "2 axes", "from -2 to 1", python=ValueError)
    fails(errors.IndexingError, lambda: X3[0, 0], "2 indices", "1 axes", python=IndexError)


# Numbers that are not known yet


@pytest.mark.parametrize(
    "transform", [jit, vmap, jacfwd, lambda f: jit(grad(f))], ids=["jit", "vmap", "jacfwd of jit", "jit of grad"]
)
def test_if_on_a_traced_value_says_to_use_where(transform):
    f = jit(lambda x: x if x > 0 else -x) if transform is jacfwd else lambda x: x if x > 0 else -x
    x = X3 if transform is vmap else 1.0
    fails(
        errors.TracerBoolConversionError,
        lambda: transform(f)(x),
        "`if`",
        "bool[]",
        "<lambda>",
        "jitgrad.numpy.where",
        python=TypeError,
    )


def test_while_and_boolean_operators_on_a_traced_value_are_told_as_if_is():
    def loop(x):
        while x < 3:
            x = x + 1
        return x

    with pytest.raises(errors.TracerBoolConversionError, match="while"):
        jit(loop)(1.0)
    fails(errors.TracerBoolConversionError, lambda: jit(lambda x: x > 0 and x < 1)(1.0), "`and`")
    fails(errors.TracerBoolConversionError, lambda: jit(lambda x: not x)(1.0), "`not`")


@pytest.mark.parametrize(
    ("convert", "error", "what"),
    [
        (float, errors.ConcretizationTypeError, "float()"),
        (int, errors.TracerIntegerConversionError, "int()"),
        (complex, errors.ConcretizationTypeError, "complex()"),
        (np.asarray, errors.TracerArrayConversionError, "numpy.asarray"),
        (np.real_if_close, errors.TracerArrayConversionError, "numpy.real_if_close"),
        (lambda x: x.item(), errors.ConcretizationTypeError, "x.item()"),
        (lambda x: x.tolist(), errors.ConcretizationTypeError, "x.tolist()"),
    ],
    ids=["float", "int", "complex", "asarray", "numpy function", "item", "tolist"],
)
@pytest.mark.parametrize("transform", [jit, vmap], ids=["jit", "vmap"])
def test_conversion_of_a_traced_value_is_told_apart(transform, convert, error, what):
    def f(x):
        return convert(x)

    with pytest.raises(error) as caught:
        transform(f)(np.ones(2)) if transform is vmap else transform(f)(1.0)
    for part in (what, "float", "(f)", "jitgrad.numpy", f"at {__file__}:"):
        assert part in str(caught.value)
    assert isinstance(caught.value, errors.ConcretizationTypeError)
    assert isinstance(caught.value, TypeError)


def test_sizes_and_indices_of_python_need_static_numbers():
    fails(errors.TracerIntegerConversionError, lambda: jit(lambda n: [0 for _ in range(n)])(3), "an index or a size", "static")
    fails(errors.TracerIntegerConversionError, lambda: jit(lambda n: [1, 2, 3][n])(1), "an index or a size")
    fails(errors.TracerIntegerConversionError, lambda: jit(lambda n: jnp.zeros(n))(3), "an index or a size")
    fails(errors.TracerIntegerConversionError, lambda: jit(lambda x, n: x[:n])(X3, 2), "an index or a size")
    fails(errors.TracerIntegerConversionError, lambda: jit(lambda x, n: x.reshape(n, -1))(X4, 2), "an index or a size")


def test_a_traced_mask_as_an_index_says_to_use_where():
    fails(errors.NonConcreteBooleanIndexError, lambda: jit(lambda x: x[x > 0])(X3), "(3,)", "where", python=IndexError)
    fails(errors.NonConcreteBooleanIndexError, lambda: vmap(lambda x: x[x > 0])(A23), "(3,)", "where")
    fails(errors.ConcretizationTypeError, lambda: jit(lambda x: jnp.nonzero(x))(X3), "nonzero", "size=")
    assert X3[X3 > 0].shape == (3,)


# Derivatives


def test_the_gradient_of_what_is_no_scalar_is_refused():
    fails(
        errors.NonDifferentiableError,
        lambda: grad(lambda x: x * 2)(X3),
        "grad of",
        "scalar",
        "float32[3]",
        "jacrev",
        python=TypeError,
    )
    fails(errors.NonDifferentiableError, lambda: jit(value_and_grad(lambda x: x * 2))(X3), "scalar", "float32[3]")
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: (x, x))(1.0), "one scalar", "2 arrays", "has_aux")
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: None)(1.0), "one scalar", "0 arrays")
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: jnp.sum(x).reshape(1))(X3), "scalar", "float32[1]")


def test_the_gradient_by_an_integer_is_refused_with_its_path():
    fails(
        errors.NonDifferentiableError, lambda: grad(loss)(np.arange(3)), "grad of loss", "argument 0", "int64[3]", "astype(float)"
    )
    fails(errors.NonDifferentiableError, lambda: grad(loss)(2), "argument 0", "int64[]")
    fails(errors.NonDifferentiableError, lambda: grad(loss)(np.ones(2, bool)), "argument 0", "bool[2]")
    fails(
        errors.NonDifferentiableError,
        lambda: jit(grad(lambda p: p["a"]))({"a": 1.0, "n": [2.0, 3]}),
        "argument 0['n'][1]",
        "int64[]",
    )
    fails(errors.NonDifferentiableError, lambda: jacfwd(loss)(np.arange(3)), "jacfwd of loss", "int64[3]")


def test_the_gradient_of_an_integer_result_is_refused():
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: 3)(1.0), "output is int64")
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: x > 1)(1.0), "output is bool")
    fails(errors.NonDifferentiableError, lambda: jacrev(lambda x: jnp.argmax(x))(X3), "jacrev of", "int64")


@pytest.mark.parametrize("transform", [grad, value_and_grad, jacfwd, jacrev, hessian])
@pytest.mark.parametrize("argnums", [1, -2, (0, 1)])
def test_an_argnum_out_of_range_is_told_with_the_number_of_arguments(transform, argnums):
    with pytest.raises(
        errors.ArgumentError, match=r"of loss: argnums=.* names argument .* called with 1 positional argument\b"
    ) as caught:
        transform(loss, argnums=argnums)(X3)
    assert isinstance(caught.value, ValueError)


def test_complex_results_and_arguments_need_holomorphic_and_the_other_way_round():
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: x * 1j)(1.0), "complex", "holomorphic=True")
    fails(errors.NonDifferentiableError, lambda: grad(lambda x: x, holomorphic=True)(1.0), "needs complex inputs", "argument 0")


def test_has_aux_needs_a_pair():
    fails(errors.ArgumentError, lambda: grad(lambda x: x, has_aux=True)(1.0), "has_aux=True", "a pair", "got Array")


# vmap


def test_unequal_sizes_under_vmap_are_listed():
    fails(errors.ShapeError, lambda: vmap(lambda a, b: a + b)(X3, X4), "vmap of", "argument 0 has 3", "argument 1 has 4", "in_axes")
    fails(
        errors.ShapeError, lambda: vmap(lambda p: p["a"])({"a": X3, "b": [X4]}), "argument 0['a'] has 3", "argument 0['b'][0] has 4"
    )
    fails(errors.ShapeError, lambda: vmap(lambda a, b: a, (1, 0))(A23, jnp.ones(2)), "argument 0 has 3", "argument 1 has 2")
    fails(errors.ShapeError, lambda: vmap(lambda a, *, k: a)(X3, k=X4), "argument 0 has 3", "keyword argument 'k' has 4")
    fails(errors.ShapeError, lambda: vmap(lambda a: a, axis_size=5)(X3), "argument 0 has 3", "axis_size has 5")


def test_axes_that_do_not_fit_under_vmap_are_told():
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, in_axes=2)(X3), "axis 2", "argument 0", "[3]", "None")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a)(3.0), "axis 0", "argument 0", "[]")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, in_axes=(0, 0))(X3), "2 entries", "1 argument")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, in_axes=None)(X3), "at least one", "axis_size")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, out_axes=None)(X3), "out_axes", "differs from example to example")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, out_axes=3)(X3), "out_axes", "axis 3")
    fails(errors.ArgumentError, lambda: vmap(lambda a: a, in_axes="a")(X3), "in_axes", "integers and None", "'a'")
    fails(errors.TreeStructureError, lambda: vmap(lambda a: a["x"], in_axes=({"y": 0},))({"x": X3}), "in_axes", "'y'", "'x'")
    fails(errors.TreeStructureError, lambda: vmap(lambda a: (a, a), out_axes=(0, 0, 0))(X3), "out_axes", "(0, 0, 0)")


# jit's arguments


def test_an_unhashable_static_argument_is_named():
    f = jit(lambda x, n: x, static_argnums=1)
    error = errors.NonHashableStaticArgumentError
    fails(error, lambda: f(X3, [1]), "static argument 1", "list: '[1]'", "tuple", python=ValueError)
    fails(error, lambda: f(X3, n=np.ones(2)), "static keyword argument 'n'", "ndarray")
    fails(error, lambda: jit(lambda x, n: x, static_argnames="n")(X3, X3), "static argument 1", "Array", "ordinary argument")


def test_static_and_donated_arguments_must_exist():
    fails(errors.ArgumentError, lambda: jit(lambda x, n: x, static_argnames="m"), "'m'", "x, n")
    fails(errors.ArgumentError, lambda: jit(lambda x, n: x, static_argnums=2), "static_argnums names argument 2", "2 positional")
    fails(errors.ArgumentError, lambda: jit(lambda x, n: x, donate_argnums=-3), "donate_argnums names argument -3")
    fails(errors.ArgumentError, lambda: jit(3), "jit needs a function, got int")


def test_an_argument_that_is_no_array_is_named_by_its_path():
    fails(errors.NotAnArrayError, lambda: jit(loss)("a"), "jit of loss", "argument 0", "str: 'a'", "static", python=TypeError)
    fails(errors.NotAnArrayError, lambda: jit(loss)({"a": [1.0, object()]}), "argument 0['a'][1]", "object")
    fails(errors.NotAnArrayError, lambda: jit(lambda x, mode: x)(1.0, mode="sum"), "keyword argument 'mode'", "str: 'sum'")
    fails(errors.NotAnArrayError, lambda: grad(loss)({"w": "b"}), "grad of loss", "argument 0['w']", "the string 'b'")
    fails(errors.NotAnArrayError, lambda: vmap(loss)([X3, "b"]), "vmap of loss", "argument 0[1]", "str: 'b'")
    fails(errors.NotAnArrayError, lambda: jnp.sin([1.0]), "sin", "list", "jitgrad.numpy.array")
    fails(errors.NotAnArrayError, lambda: jnp.sin(np.ma.masked_array([1.0])), "masked", "filled")
    fails(errors.DTypeError, lambda: jit(loss)(np.array(["a"])), "<U1", "float32", python=TypeError)
    fails(errors.DTypeError, lambda: jit(loss)(2**70), "does not fit in 64 bits")


def test_a_result_that_is_no_array_is_named_by_its_path():
    fails(errors.NotAnArrayError, lambda: jit(lambda x: {"a": (x, "hi")})(1.0), "its result['a'][1]", "str: 'hi'", "Return")
    fails(errors.NotAnArrayError, lambda: jit(lambda x: loss)(1.0), "its result", "function")
    fails(errors.NotAnArrayError, lambda: grad(lambda x: "a")(1.0), "its result", "str: 'a'")
    fails(errors.NotAnArrayError, lambda: vmap(lambda x: [x, "a"])(X3), "its result[1]", "str: 'a'")


# Values out of their place


def leaking():
    """A function that puts a traced value into a list, and the list."""
    kept = []

    def leak(x):
        kept.append(x * 2)
        return jnp.sum(x)

    return leak, kept


@pytest.mark.parametrize("transform", [jit, vmap, grad, lambda f: jit(grad(f)), lambda f: lambda x: jvp(f, (x,), (x,))])
@pytest.mark.parametrize(
    "use",
    [
        lambda v: v + 1,
        lambda v: jit(lambda x: x + v)(X3),
        lambda v: jit(lambda x: x + 1)(v),
        lambda v: jit(lambda x: v)(1.0),
        lambda v: grad(lambda x: jnp.sum(x * v))(X3),
        lambda v: vmap(lambda x: x * v)(X3),
        lambda v: jvp(lambda x: x * v, (X3,), (X3,)),
        lambda v: vmap(lambda x: jit(grad(lambda y: jnp.sum(y * v)))(x))(A23),
    ],
    ids=["eager", "in jit", "argument of jit", "returned", "in grad", "in vmap", "in jvp", "deep"],
)
def test_a_value_that_leaked_out_of_its_function_is_refused_everywhere(transform, use):
    leak, kept = leaking()
    transform(leak)(X3)
    with pytest.raises(errors.UnexpectedTracerError) as caught:
        use(kept[0])
    assert isinstance(caught.value, RuntimeError)
    for part in ("leak", "float32" if "float32" in str(caught.value) else "f32", "Return it", f"at {__file__}:"):
        assert part in str(caught.value)


def test_a_leaked_value_says_so_also_where_a_number_is_needed():
    leak, kept = leaking()
    jit(leak)(X3)
    fails(errors.UnexpectedTracerError, lambda: float(kept[0][0]) if kept else None, "(leak)")
    fails(errors.UnexpectedTracerError, lambda: np.asarray(kept[0]), "(leak)")
    fails(errors.UnexpectedTracerError, lambda: bool(kept[0]), "(leak)")


def test_a_leaked_value_may_be_printed():
    leak, kept = leaking()
    jit(leak)(X3)
    assert repr(kept[0]) == "Traced<float32[3]>"


def test_tracing_that_failed_leaves_nothing_behind():
    for _ in range(2):
        for transform in (jit, vmap, grad, jacfwd):
            with pytest.raises(ZeroDivisionError):
                transform(lambda x: x / (1 // 0))(X3)
    assert float(X3.sum()) == 3
    assert float(grad(lambda x: jit(jnp.sin)(x))(0.0)) == 1


def test_item_assignment_says_to_use_at():
    with pytest.raises(errors.ImmutableArrayError, match=r"x\[0\] = value.*float32\[3\].*x\.at\[i\]\.set\(value\)") as caught:
        X3[0] = 1
    assert isinstance(caught.value, TypeError)
    assert __file__ in str(caught.value)

    def update(x):
        x[1:] += 1
        return x

    for transform in (jit, vmap, grad):
        with pytest.raises(errors.ImmutableArrayError, match=r"at\[i\]\.add"):
            transform(update)(A23)


def test_a_donated_array_is_told_from_others():
    x = jit(lambda: jnp.ones(3))()
    jit(lambda x: x + 1, donate_argnums=0)(x)
    fails(errors.DonatedBufferError, lambda: x + 1, "donate_argnums", "Use the function's result", python=RuntimeError)


# Trees


def test_tangents_of_another_structure_shape_or_type_are_refused():
    error = errors.TreeStructureError
    fails(
        error,
        lambda: jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)),
        "jvp of",
        "tangents",
        "['a']",
        "['b']",
        python=ValueError,
    )
    fails(error, lambda: jvp(loss, (X3,), (X4,)), "jvp of loss", "tangents", "[3]", "[4]")
    fails(error, lambda: jvp(loss, (X3,), (np.ones(3),)), "float32", "float64", "astype")
    fails(error, lambda: jvp(loss, (X3,), (X3, X3)), "unexpected: [1]")
    fails(errors.ArgumentError, lambda: jvp(loss, X3, X3), "tuples or lists", "Array")
    fails(error, lambda: linearize(loss, X3)[1](X4), "linearize of loss", "[3]", "[4]")


def test_cotangents_of_another_structure_shape_or_type_are_refused():
    error = errors.TreeStructureError
    fails(error, lambda: vjp(lambda x: (x, x), X3)[1](X3), "vjp of", "cotangents", "missing: [0], [1]")
    fails(error, lambda: vjp(lambda x: {"o": x}, X3)[1]({"o": X4}), "cotangents of ['o']", "[3]", "[4]")
    fails(error, lambda: vjp(lambda x: x, X3)[1](np.ones(3)), "float32", "float64")


def test_gradients_of_another_structure_or_shape_are_refused_by_optimizers():
    params = {"w": X3, "b": [X4]}
    optimizer = optim.adam(0.1)
    state = optimizer.init(params)
    error = errors.TreeStructureError
    fails(error, lambda: optimizer.update({"w": X3}, state, params), "optim.adam", "gradients", "['b'][0]")
    fails(error, lambda: optimizer.update({"w": X3, "b": [X3]}, state, params), "gradients['b'][0]", "(4,)", "(3,)", "same params")
    fails(error, lambda: optim.apply_updates(params, {"w": X4, "b": [X4]}), "apply_updates", "['w']", "(3,)", "(4,)")


def test_trees_of_different_structures_are_not_mapped_together():
    with pytest.raises(errors.TreeStructureError, match=r"tree\.map.*missing: \['a'\]; unexpected: \['b'\]"):
        tree.map(lambda a, b: a, {"a": 1}, {"b": 1})


# The catalogue


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_a_docstring_and_is_also_one_of_pythons_kinds(name):
    error = getattr(errors, name)
    assert error.__doc__
    assert issubclass(error, errors.JitgradError)
    if name != "JitgradError":
        assert issubclass(error, (TypeError, ValueError, IndexError, RuntimeError, AttributeError, NameError, ImportError, OSError))


@pytest.mark.parametrize("transform", [grad, value_and_grad, jacfwd, jacrev, hessian])
@pytest.mark.parametrize(
    "point", [1.5, np.ones(3), jnp.ones(3), [jnp.ones(3)], (0.5,), {"w": 1.0}, "x", None], ids=lambda x: type(x).__name__
)
def test_a_point_in_place_of_argnums_is_refused_at_once(transform, point):
    name = "grad" if transform is value_and_grad else transform.__name__
    with pytest.raises(errors.ArgumentError, match=rf"(?s)^{name}: argnums must be the number of an argument.*{name}\(f\)\(x\)"):
        transform(lambda x: jnp.sum(x * x), point)


@pytest.mark.parametrize("primal", [3, True, jnp.arange(3), np.arange(3, dtype=np.int8)], ids=str)
def test_the_tangent_of_an_integer_is_float0_and_nothing_else(primal):
    shape = np.shape(primal)
    f = lambda n: n * 2.0
    none = np.zeros(shape, float0)
    assert not np.asarray(jvp(f, (primal,), (none,))[1]).any()
    assert not np.asarray(linearize(f, primal)[1](none)).any()
    for given in (primal, np.ones(shape), np.zeros(shape, int), np.zeros((*shape, 2), float0)):
        for act in (lambda t: jvp(f, (primal,), (t,)), linearize(f, primal)[1]):
            with pytest.raises(errors.TreeStructureError, match="must be of type float0 and shape.*has no derivative, got "):
                act(given)


def test_the_cotangent_of_an_integer_result_is_float0_and_nothing_else():
    _, pullback = vjp(lambda x: {"n": jnp.floor(x).astype(int), "y": 2 * x}, 1.5)
    assert float(pullback({"n": np.zeros((), float0), "y": 1.0})[0]) == 2
    with pytest.raises(errors.TreeStructureError, match=r"cotangents of \['n'\] must be of type float0 .* got int"):
        pullback({"n": 1, "y": 1.0})


@pytest.mark.parametrize("axes", [jnp.ones(3), np.ones(3), 0.5, (0, 1.0), [jnp.ones(3)], "i"], ids=str)
@pytest.mark.parametrize("what", ["in_axes", "out_axes"])
def test_values_in_place_of_axes_of_vmap_are_refused_at_once(what, axes):
    with pytest.raises(errors.ArgumentError, match=rf"vmap: {what} must hold integers and None, got .*vmap\(f\)\(x\)"):
        vmap(lambda x: x, **{what: axes})
