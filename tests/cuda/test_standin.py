"""The stand-in of the driver: it computes, and it catches what a driver would let pass or punish much later."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad_compiler.errors import DeviceFault, DriverError, OutOfDeviceMemory
from jitgrad_compiler.ir.types import F32
from jitgrad_compiler.runtime.cuda.driver import Driver, Launch

from .engine import Order
from .kernels import block_sums, kernel, rounds, scale
from .reports import KernelFault
from .standin import Misuse, StandIn


def upload(driver: StandIn, array: np.ndarray) -> int:
    address = driver.allocate(array.nbytes)
    driver.upload(address, array.ctypes.data, array.nbytes)
    return address


def download(driver: StandIn, address: int, like: np.ndarray) -> np.ndarray:
    found = np.empty_like(like)
    driver.download(found.ctypes.data, address, found.nbytes)
    return found


def launched(driver: StandIn, body, arrays: list[int], blocks: int, shared_bytes: int = 0, cooperative: bool = False):  # noqa: ANN001, ANN201
    """A graph of one launch, and its table."""
    table = upload(driver, np.array(arrays, np.uint64))
    function = driver.function(driver.load(kernel(body)), "kernel", shared_bytes)
    return driver.graph([Launch(function, blocks, 256, shared_bytes, (table,), cooperative)]), table


def one(driver: StandIn, lent: int, threads: int, shared_bytes: int, *arguments: int) -> None:
    function = driver.function(driver.load(kernel(scale)), "kernel", lent)
    driver.graph([Launch(function, 1, threads, shared_bytes, arguments)])


X = np.arange(2048, dtype=np.float32)


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("order", [Order(), Order("shuffled")], ids=str)
def test_programs_run_and_everything_can_be_given_back(deferred: bool, order: Order) -> None:
    driver = StandIn(order=order, deferred=deferred)
    contract: Driver = driver
    x, y, sums = upload(driver, X), driver.allocate(X.nbytes), driver.allocate(32)
    doubled, table_1 = launched(driver, scale, [x, y], 2)
    summed, table_2 = launched(driver, block_sums(), [y, sums], 8, 32)
    for graph in (doubled, summed):
        contract.launch(graph)
    assert np.array_equal(download(driver, y, X), 2 * X)
    assert np.array_equal(download(driver, sums, X[:8]), 2 * X.reshape(8, 256).sum(1))
    assert driver.counts["launch"] == 2 and driver.launched["kernel"] == 2
    assert driver.peak_bytes == 2 * X.nbytes + 3 * 256
    with pytest.raises(Misuse, match="9 things are alive, 0 may be: 8192 bytes at"):
        driver.check_balanced()
    for address in (x, y, sums, table_1, table_2):
        driver.free(address)
    for graph in (doubled, summed):
        driver.release(graph.launches[0].function.module)
        driver.release(graph)
    driver.check_balanced()
    assert driver.memory() == (1 << 30, 1 << 30)


def test_a_deferred_call_runs_when_somebody_waits() -> None:
    driver = StandIn(deferred=True)
    host = X.copy()
    x, y = upload(driver, host), driver.allocate(X.nbytes)
    host[:] = 0  # the driver has taken what it held
    graph, _ = launched(driver, scale, [x, y], 2)
    driver.launch(graph)
    driver.free(x)  # behind the launch
    assert not driver.launched
    assert np.array_equal(download(driver, y, X), 2 * X)


def test_new_memory_is_full_of_nans_and_freed_memory_is_gone() -> None:
    driver = StandIn()
    x, y = driver.allocate(X.nbytes), driver.allocate(X.nbytes)
    assert x % 256 == y % 256 == 0 and np.isnan(download(driver, x, X)).all()
    graph, _ = launched(driver, scale, [x, y], 2)
    driver.free(x)
    with pytest.raises(KernelFault, match=r"kernel kernel, block 0, thread 0: it touches .* was freed \(8192 bytes\)"):
        driver.launch(graph)
    with pytest.raises(DeviceFault):  # nothing runs on a device that failed
        driver.synchronize()
    driver.free(y)


def test_a_kernel_that_leaves_its_arrays_is_an_error() -> None:
    driver = StandIn()
    x, y = upload(driver, X), driver.allocate(X.nbytes)
    graph, _ = launched(driver, scale, [x, y], 3)
    with pytest.raises(KernelFault, match=r"block 2, thread 0: it touches .*\(0 bytes behind 8192 bytes at"):
        driver.launch(graph)


@pytest.mark.parametrize(("at", "message"), [(8, "4 bytes behind 28 bytes"), (-1, "4 bytes before 28 bytes")])
def test_a_write_just_outside_of_an_array_is_an_error(at: int, message: str) -> None:
    driver = StandIn()

    def body(e, t, pointer):  # noqa: ANN001, ANN202
        e.store(e.offset(pointer(0), at, F32), e.const(1.0, F32))

    graph, _ = launched(driver, body, [driver.allocate(28)], 1)
    with pytest.raises(KernelFault, match=f"kernel kernel: something wrote {message}"):
        driver.launch(graph)


def test_memory_runs_out_where_it_was_told_to() -> None:
    driver = StandIn(memory_bytes=4096)
    driver.allocate(3000)
    with pytest.raises(OutOfDeviceMemory, match="2000 bytes were asked for, and 1024 of 4096 are free"):
        driver.allocate(2000)
    driver.allocate(1000)


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (lambda d, x: (d.free(x), d.free(x)), r"free: 0x.* was freed \(8192 bytes\)"),
        (lambda d, x: d.free(x + 256), "free: 0x.* lies within the 8192 bytes at"),
        (lambda d, x: d.free(12345), "free: 0x3039 is no memory of this device"),
        (lambda d, x: d.upload(x + 8, X.ctypes.data, X.nbytes), "upload: 8192 bytes at .* where 8184 are left of 8192"),
        (lambda d, x: (d.free(x), d.download(X.ctypes.data, x, 4)), "download: 4 bytes at .* which was freed"),
        (lambda d, x: d.copy(x, x + 4, 8), "copy: 8 bytes from .* overlap"),
        (lambda d, x: d.copy(x, X.ctypes.data, 8), "copy: 8 bytes at .* is no memory of this device"),
        (lambda d, x: d.release(d), "release: .* was not made by this driver"),
        (lambda d, x: launched(d, scale, [x, x], 0), "kernel kernel with 0 blocks"),
        (lambda d, x: launched(d, scale, [x, x], 5, cooperative=True), "cooperatively with 5 blocks; 4 run at once"),
        (lambda d, x: one(d, 0, 250, 0, x,), "blocks of 250 threads"),
        (lambda d, x: one(d, 8, 256, 9, x,), "9 bytes of shared memory"),
        (lambda d, x: one(d, 0, 256, 0, ), "0 arguments; it takes 1"),
        (lambda d, x: one(d, 0, 256, 0, 7,), "0x7 as argument 0, which"),
    ],
)  # fmt: skip
def test_what_must_not_be_asked_is_an_error_then_and_at_the_end(misuse, message: str) -> None:  # noqa: ANN001
    driver = StandIn()
    x = driver.allocate(X.nbytes)
    with pytest.raises(Misuse, match=message):
        misuse(driver, x)
    with pytest.raises(Misuse, match=message):
        driver.check_balanced(kept=100)


def test_memory_of_another_device_is_not_this_ones() -> None:
    driver, other = StandIn(), StandIn(device=1)
    x, y = driver.allocate(64), other.allocate(64)
    with pytest.raises(Misuse, match="which belongs to device 1"):
        driver.copy(x, y, 8)


def test_released_things_and_freed_tables_cannot_be_launched() -> None:
    driver = StandIn()
    x = upload(driver, X)
    graph, table = launched(driver, scale, [x, x], 2)
    driver.free(table)
    with pytest.raises(Misuse, match="as argument 0, which was freed"):
        driver.launch(graph)
    other, _ = launched(driver, scale, [x, x], 2)
    driver.release(other.launches[0].function.module)
    with pytest.raises(Misuse, match="it was released"):
        driver.launch(other)
    driver.release(graph)
    with pytest.raises(Misuse, match="it was released"):
        driver.release(graph)


@pytest.mark.parametrize(
    ("method", "error"),
    [("allocate", OutOfDeviceMemory), ("launch", DeviceFault), ("load", DriverError), ("synchronize", DriverError)],
)
def test_calls_fail_when_they_are_asked_to(method: str, error: type[Exception]) -> None:
    driver = StandIn()
    x = upload(driver, X)
    graph, _ = launched(driver, scale, [x, x], 2)
    arguments = {"allocate": (8,), "launch": (graph,), "load": (kernel(scale),), "synchronize": ()}[method]
    driver.fail_next(method)
    with pytest.raises(error):
        getattr(driver, method)(*arguments)
    if method == "launch":
        with pytest.raises(DeviceFault):
            driver.synchronize()
    else:
        getattr(driver, method)(*arguments)


def test_cooperative_launches_meet() -> None:
    driver = StandIn()
    assert driver.resident_blocks(driver.function(driver.load(kernel(rounds)), "kernel", 0), 256, 0) == 4
    x = X[:1024]
    arrays = [upload(driver, x), upload(driver, x), upload(driver, np.zeros(1, np.uint32))]
    graph, _ = launched(driver, rounds, arrays, 4, cooperative=True)
    driver.launch(graph)
    assert np.array_equal(download(driver, arrays[1], x), np.roll(x, -3))
