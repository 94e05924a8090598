"""Devices: their names, what arrays say of them, and transfers; the processor's. A GPU's are in tests/cuda."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors


def test_there_is_one_device_the_processor():
    (device,) = jitgrad.devices()
    assert (device.id, device.platform, str(device), repr(device)) == (0, "cpu", "cpu:0", "CpuDevice(id=0)")
    assert jitgrad.local_devices() == jitgrad.devices("cpu") == [device]
    assert jitgrad.device_count() == jitgrad.local_device_count() == jitgrad.process_count() == 1
    assert (jitgrad.default_backend(), jitgrad.process_index()) == ("cpu", 0)
    with pytest.raises(errors.ArgumentError, match="a device is 'cpu', 'cuda'.*got 'tpu'"):
        jitgrad.devices("tpu")


def test_arrays_say_where_they_are():
    x = jnp.ones(3)
    (device,) = jitgrad.devices()
    assert x.device == device
    assert x.devices() == x.sharding.device_set == {device}
    assert x.to_device(device) is x
    with pytest.raises(errors.ArgumentError, match="Array.to_device"):
        x.to_device("tpu")
    assert float(jitgrad.jit(lambda x: x.to_device(device).sum() if x.sharding.is_fully_replicated else 0)(x)) == 3


def test_trees_are_put_on_the_device_and_taken_from_it():
    put = jitgrad.device_put({"a": np.ones(2), "b": [1.5]}, jitgrad.devices()[0])
    assert isinstance(put["a"], jitgrad.Array) and isinstance(put["b"][0], jitgrad.Array)
    got = jitgrad.device_get({**put, "name": "s"})
    assert type(got["a"]) is np.ndarray and got["name"] == "s"
    assert jitgrad.device_put({"a": 1.0}, {"a": jitgrad.devices()[0]})["a"] == 1
    assert jitgrad.block_until_ready(put) is put
    with pytest.raises(errors.NotAnArrayError, match=r"device_put: the value\['a'\] must be an array or a number, got str"):
        jitgrad.device_put({"a": "s"})
    with pytest.raises(errors.ArgumentError, match="device_put"):
        jitgrad.device_put(1.0, "tpu")


CREATORS = {
    "array": ([1, 2],), "asarray": ([1, 2],), "zeros": (2,), "ones": (2,), "empty": (2,), "full": (2, 7), "eye": (2,),
    "arange": (3,), "zeros_like": (1.0,), "ones_like": (1.0,), "empty_like": (1.0,), "full_like": (1.0, 7), "linspace": (0, 1, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CREATORS)
def test_functions_that_make_arrays_take_a_device(name):
    function, args = getattr(jnp, name), CREATORS[name]
    (device,) = jitgrad.devices()
    for given in ("cpu", device, None, jnp.ones(1).sharding):
        assert function(*args, device=given).device == device
    assert jitgrad.jit(lambda: function(*args, device="cpu"))().tolist() == function(*args).tolist()
    with pytest.raises(errors.ArgumentError, match=f"{name}: a device is 'cpu', 'cuda'.*got 'tpu'"):
        function(*args, device="tpu")
