"""Arrays in other libraries' hands: pickle and copy, pandas, matplotlib, PyTorch, and SciPy's and scikit-learn's array-API mode."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "bfloat16", "float64", "complex64"])
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)], ids=str)
def test_arrays_are_pickled_and_copied(dtype, shape):
    x = jnp.ones(shape, dtype)
    for again in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x), copy.deepcopy({"x": x})["x"]):
        assert isinstance(again, jitgrad.Array) and again.dtype == x.dtype and again.shape == x.shape
        assert np.array_equal(np.asarray(again), np.asarray(x))


def test_numpy_sees_arrays_without_a_copy_and_cannot_write_to_them():
    x = jnp.arange(3.0)
    view = np.asarray(x)
    assert not view.flags.writeable and np.shares_memory(view, np.asarray(x))
    written = np.array(x)
    written[0] = 9
    assert x[0] == 0
    assert np.asarray(x, dtype="float64").dtype == "float64" and np.asarray(x, copy=True).flags.writeable


def test_columns_of_pandas_become_arrays():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.5, 2.5], "b": [1, 2], "c": [True, False]})
    assert jnp.asarray(frame["a"]).tolist() == [1.5, 2.5] and jnp.asarray(frame["a"]).dtype == "float64"
    assert jnp.array(frame["b"]).dtype == "int64" and jnp.array(frame["c"]).dtype == "bool"
    assert jnp.asarray(frame[["a", "b"]]).shape == (2, 2)
    assert jnp.sum(frame["a"]) == 4 and (jnp.ones(2) * jnp.asarray(frame["b"])).tolist() == [1, 2]
    assert float(jitgrad.grad(lambda w: jnp.sum(w * jnp.asarray(frame["a"])))(2.0)) == 4
    assert pandas.Series(np.asarray(jnp.arange(2))).tolist() == [0, 1]


def test_arrays_are_plotted():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    x = jnp.linspace(0, 1, 5)
    figure, axes = pyplot.subplots()
    (line,) = axes.plot(x, x**2)
    assert np.allclose(line.get_ydata(), np.asarray(x) ** 2)
    axes.scatter(x, x)
    axes.imshow(jnp.outer(x, x))
    axes.hist(x, bins=3)
    figure.savefig(io.BytesIO())
    pyplot.close(figure)


def test_arrays_go_to_pytorch_and_back():
    torch = pytest.importorskip("torch")
    x = jnp.arange(6, dtype="float32").reshape(2, 3)
    there = torch.from_dlpack(x)
    there += 1
    assert x[0, 0] == 0
    back = jnp.from_dlpack(there)
    there += 1
    assert back.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert jnp.asarray(torch.ones(2)).tolist() == [1, 1]


SCIPY = """
    import numpy as np, scipy.special, scipy.stats, scipy.integrate, scipy.fft, scipy.signal, scipy.linalg, scipy.cluster.vq
    import jitgrad, jitgrad.numpy as jnp

    x = np.linspace(0.1, 2.0, 12).reshape(4, 3)
    functions = [
        lambda x: scipy.special.expit(x), lambda x: scipy.special.logsumexp(x, axis=1), lambda x: scipy.special.entr(x),
        lambda x: scipy.special.softmax(x, axis=0), lambda x: scipy.stats.zscore(x, axis=0), lambda x: scipy.stats.gmean(x, axis=0),
        lambda x: scipy.stats.skew(x, axis=0), lambda x: scipy.stats.kurtosis(x, axis=1),
        lambda x: scipy.stats.variation(x, axis=0),
        lambda x: scipy.integrate.trapezoid(x, axis=0), lambda x: scipy.integrate.simpson(x, axis=0),
        lambda x: scipy.stats.pearsonr(x[:, 0], x[:, 1] ** 2).statistic, lambda x: scipy.special.rel_entr(x, x + 1),
        lambda x: scipy.stats.moment(x, 2, axis=0), lambda x: scipy.special.log_softmax(x, axis=1),
    ]
    done = 0
    for n, f in enumerate(functions):
        wanted = f(x)
        try:
            got = f(jnp.array(x))
        except Exception as error:
            print("refused", n, type(error).__name__, str(error)[:90])
            continue
        assert np.allclose(np.asarray(got), wanted, rtol=1e-6, equal_nan=True), (n, got, wanted)
        done += isinstance(got, jitgrad.Array)
    print("done", done)
"""

SKLEARN = """
    import numpy as np, sklearn
    import jitgrad, jitgrad.numpy as jnp
    from sklearn.preprocessing import MinMaxScaler, MaxAbsScaler, Normalizer
    from sklearn.metrics import accuracy_score, max_error, mean_absolute_error, mean_squared_error, r2_score, zero_one_loss
    from sklearn.metrics import mean_absolute_percentage_error, mean_pinball_loss, mean_tweedie_deviance
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge

    x = np.random.default_rng(0).normal(size=(20, 4))
    y = x @ np.arange(4.0)
    with sklearn.config_context(array_api_dispatch=True):
        done = 0
        functions = [
            lambda xp, a, b: MinMaxScaler().fit_transform(a), lambda xp, a, b: MaxAbsScaler().fit_transform(a),
            lambda xp, a, b: Normalizer().fit_transform(a), lambda xp, a, b: mean_squared_error(b, b + 1),
            lambda xp, a, b: mean_absolute_error(b, b + 1), lambda xp, a, b: r2_score(b, b + 1),
            lambda xp, a, b: accuracy_score(b > 0, b > 1),
            lambda xp, a, b: zero_one_loss(b > 0, b > 1), lambda xp, a, b: max_error(b, b + 1),
            lambda xp, a, b: mean_absolute_percentage_error(b, b + 1), lambda xp, a, b: mean_pinball_loss(b, b + 1),
            lambda xp, a, b: mean_tweedie_deviance(abs(b) + 1, abs(b) + 2, power=1),
            lambda xp, a, b: Ridge(solver="svd").fit(a, b).coef_,
            lambda xp, a, b: PCA(n_components=2, svd_solver="full").fit(a).explained_variance_,
        ]
        for n, f in enumerate(functions):
            wanted = f(np, x, y)
            try:
                got = f(jnp, jnp.array(x), jnp.array(y))
            except Exception as error:
                print("refused", n, type(error).__name__, str(error)[:90])
                continue
            assert np.allclose(np.asarray(got), wanted, rtol=1e-5), (n, got, wanted)
            done += 1
    print("done", done)
"""


def _run(program):
    command = f"import os; os.environ['SCIPY_ARRAY_API'] = '1'\n{textwrap.dedent(program)}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_scipys_functions_run_on_arrays():
    out = _run(SCIPY)
    assert int(out.split()[-1]) >= 5, out


def test_scikit_learns_functions_run_on_arrays():
    pytest.importorskip("sklearn")
    out = _run(SKLEARN)
    assert int(out.split()[-1]) >= 5, out
