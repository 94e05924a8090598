"""Arrays that are brought to a GPU while its kernels run: streams, events and memory, in a stand-in of the driver."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, nn, optim, random, train
from jitgrad.arrivals import send
from jitgrad.errors import DriverError, OutOfDeviceMemory
from jitgrad_compiler.runtime.cuda import devices

from .running import stand_ins
from .standin import StandIn

ORDERS = [dict(deferred=False), dict(deferred=True), dict(deferred=True, uploads_last=False)]


@pytest.fixture(params=ORDERS, ids=["at once", "uploads last", "uploads first"])
def driver(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    with stand_ins(**request.param) as (driver,):
        yield driver
        assert not driver.misuses


def _order(driver: StandIn) -> list[str]:
    return [c.name + ("" if not (c.name in ("mark", "behind") and c.arguments[-1:] == (True,)) else " aside") for c in driver.calls]


def test_batches_are_right_whichever_stream_runs_first(driver: StandIn) -> None:
    x = np.arange(20_000, dtype="f4").reshape(40, 500)
    total = jitgrad.jit(lambda s, x: s + jnp.tanh(x).sum(0))
    found = jitgrad.device_put(np.zeros(500, "f4"), "cuda")
    for batch in data.from_arrays(x).batch(4).prefetch(device="cuda"):
        assert batch.device.platform == "cuda"
        found = total(found, batch)
    np.testing.assert_allclose(found, np.tanh(x).sum(0), rtol=1e-6)


def test_an_upload_goes_beside_and_the_kernels_wait_for_it_alone() -> None:
    with stand_ins(deferred=True) as (driver,):
        f = jitgrad.jit(lambda x: x * 2)
        arrival = send("here", {"x": np.ones(3000, "f4")}, jitgrad.devices("cuda")[0])
        before = len(driver.calls)
        del arrival
        x = send("here", {"x": np.full(3000, 3, "f4")}, jitgrad.devices("cuda")[0])
        names = [c.name for c in driver.calls]
        assert "upload" not in names and names.count("upload_aside") == 2
        assert len(driver.calls) > before and driver.counts["synchronize"] == 0
        np.testing.assert_array_equal(f(x.taken()["x"]), np.full(3000, 6))
        behind = [c for c in driver.calls if c.name == "behind"]
        sent = next(c.arguments[0] for c in reversed(driver.calls) if c.name == "mark" and c.arguments[1:] == (True,) or False)
        assert any(c.arguments == (sent,) for c in behind)


def test_memory_of_batches_takes_turns_behind_its_last_reader() -> None:
    with stand_ins(deferred=True, uploads_last=False) as (driver,):
        gpu = jitgrad.devices("cuda")[0]
        add = jitgrad.jit(lambda s, x: s + x)
        total = jitgrad.device_put(np.zeros(1000), "cuda")
        arrivals = [send("here", np.full(1000, float(n)), gpu) for n in range(2)]
        asked = driver.counts["allocate"]
        for n in range(2, 12):  # uploads run as soon as they can: too early, were they not behind the kernels that read the memory
            total = add(total, arrivals.pop(0).taken())
            arrivals.append(send("here", np.full(1000, float(n)), gpu))
        assert driver.counts["allocate"] <= asked + 5
        np.testing.assert_array_equal(total, np.full(1000, sum(range(10))))


def test_an_arrival_that_nobody_takes_leaves_nothing_behind(driver: StandIn) -> None:
    gpu = jitgrad.devices("cuda")[0]
    send("here", [np.ones(1000), np.ones(10)], gpu)
    gc.collect()
    device = devices.device(0)
    device.uploads._clear()
    device.memory.shrink(0)
    driver.check_balanced()


def test_a_failed_upload_is_raised_and_the_next_one_works(driver: StandIn) -> None:
    gpu = jitgrad.devices("cuda")[0]
    for method, error in (("upload_aside", DriverError), ("allocate", OutOfDeviceMemory)):
        send("here", np.ones(77), gpu).taken().block_until_ready()
        driver.fail_next(method)
        if method == "allocate":
            driver._faults[method] = OutOfDeviceMemory("none left")
            np.testing.assert_array_equal(
                send("here", np.ones(7000), gpu).taken(), np.ones(7000)
            )  # after free blocks were given back
            continue
        with pytest.raises(error):
            send("here", np.ones(500), gpu)
        np.testing.assert_array_equal(send("here", np.ones(500), gpu).taken(), np.ones(500))
    gc.collect()
    devices.device(0).uploads._clear()
    devices.device(0).memory.shrink(0)
    driver.check_balanced()


def test_an_error_in_a_dataset_comes_in_its_turn_and_ends_all(driver: StandIn) -> None:
    def fail(n: np.ndarray) -> np.ndarray:
        if n == 3:
            raise KeyError("bad record")
        return n

    seen = []
    with pytest.raises(KeyError, match="bad record"):
        for n in data.from_arrays(np.arange(10.0)).map(fail).prefetch(2, device="cuda"):
            seen.append(float(n))
    assert seen == [0, 1, 2]


def test_elements_keep_their_structure_and_streams_are_prefetched_too(driver: StandIn) -> None:
    pairs = data.from_iterable([(np.ones(2), {"y": np.zeros(1, "i4")}), (np.ones(2), {"y": np.ones(1, "i4")})])
    for n, (x, parts) in enumerate(pairs.prefetch(device="cuda")):
        assert x.device.platform == parts["y"].device.platform == "cuda"
        assert parts["y"].dtype == "int32" and int(parts["y"][0]) == n
    for x in data.from_arrays(np.arange(3)).prefetch(device="cpu"):
        assert x.device.platform == "cpu"


def _fitted(where: str) -> tuple[list[float], list[np.ndarray]]:
    with jitgrad.default_device(where):
        key = random.key(0)
        model = train.Model(nn.Sequential(nn.Linear(4, 8, key=key), nn.relu, nn.Linear(8, 1, key=key)), key=key)
        model.compile(optimizer=optim.sgd(0.05), loss="mse")
        x = np.random.default_rng(0).standard_normal((50, 4)).astype("f4")
        history = model.fit(x, x.sum(1, keepdims=True), batch_size=16, epochs=2, verbose=0, validation_split=0.2)
        return history.history["loss"] + history.history["val_loss"], [np.asarray(a) for a in jitgrad.tree.leaves(model.module)]


def test_fit_brings_batches_while_the_last_is_computed_with(driver: StandIn) -> None:
    wanted, parameters = _fitted("cpu")
    uploads = driver.counts["upload"]
    losses, found = _fitted("cuda")
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    for a, b in zip(found, parameters, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert driver.counts["upload_aside"] == 2 * 2 * (3 + 1)
    assert driver.counts["upload"] > uploads
