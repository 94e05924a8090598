"""Run by test_bindings.py in a process where libcuda.so.1 is libcuda.c's: prints the log of calls, or what was raised."""

import ctypes
import os
import sys
import threading

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import DriverError, OutOfDeviceMemory
from jitgrad_compiler.runtime.cuda.bindings import NvidiaDriver
from jitgrad_compiler.runtime.cuda.devices import device
from jitgrad_compiler.runtime.cuda.driver import Launch, in_units
from jitgrad_compiler.runtime.cuda.memory import from_host

stub = ctypes.CDLL("libcuda.so.1")
stub.stub_log.restype = ctypes.c_char_p


def program(driver):
    function = driver.function(driver.load(".version 8.3"), "k", 50_000)
    return driver.graph([Launch(function, 3, 256, 50_000, (7, -5), cooperative=True), Launch(function, 1, 32, 0, ())])


def everything():
    driver = NvidiaDriver(0)
    for nbytes in (1000, 9_000_000):
        sent = np.random.default_rng(0).integers(0, 256, nbytes, np.uint8)
        back, address, other = np.empty_like(sent), driver.allocate(nbytes), driver.allocate(nbytes)
        stub.stub_busy(3)
        driver.upload(address, sent.ctypes.data, nbytes)
        driver.copy(other, address, nbytes)
        driver.download(back.ctypes.data, other, nbytes)
        assert (back == sent).all()
        driver.free(address)
        driver.free(other)
    graph = program(driver)
    thread = threading.Thread(target=driver.launch, args=(graph,))
    thread.start()
    thread.join()
    for cooperative in (False, True):
        driver.start(Launch(graph.functions[0], 5, 128, 64, (-9, 3), cooperative))
    driver.release(graph)
    driver.release(graph.functions[0].module)
    event, sent, address = driver.mark(), np.arange(3_000_000.0), driver.allocate(24_000_000)
    driver.behind(event, aside=True)
    driver.upload_aside(address, sent.ctypes.data, sent.nbytes)
    driver.mark(event, aside=True)
    driver.behind(event)
    driver.forget(event)
    back = np.empty_like(sent)
    driver.download(back.ctypes.data, address, sent.nbytes)
    assert (back == sent).all()
    driver.free(address)
    driver.follow(1)
    driver.lead(1)
    driver.finish()
    address = driver.allocate(8)
    assert driver.number_of(address) == 0
    driver.free(address)
    driver.synchronize()
    print(stub.stub_log().decode())
    print("free", driver.memory()[0])


def errors():
    driver = NvidiaDriver(0)
    graph = program(driver)
    driver.launch(graph)
    asked = {
        ("cuModuleLoadDataEx", 218): lambda: driver.load("x"),
        ("cuMemAllocFromPoolAsync", 2): lambda: driver.allocate(8),
        ("cuGraphLaunch", 700): lambda: driver.launch(graph),
        ("", 0): driver.memory,
    }
    for (name, code), call in asked.items():
        stub.stub_fail(name.encode(), code)
        try:
            call()
        except DriverError as error:
            print(type(error).__name__, error)


def fork():
    driver = NvidiaDriver(0)
    child = os.fork()
    if not child:
        try:
            driver.allocate(8)
        except DriverError as error:
            print("child DriverError", error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", in_units(driver.memory()[1]))


def end():
    global kept
    kept = from_host(device(0), np.ones(100)), program(device(0).driver)  # both outlive this function
    print("made")


def arrays():
    x = jitgrad.device_put(np.ones(1000, "f4"), "cuda")
    large = jitgrad.device_put(np.ones(6_000_000, "f4"), "cuda")

    def double(x):
        return jnp.concatenate([x, x]) * 2

    f, doubled = jitgrad.jit(lambda x: jnp.tanh(x).sum() * x), jitgrad.jit(double)
    threads = [threading.Thread(target=lambda: [f(x) for _ in range(100)]) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    try:
        doubled(large)
    except OutOfDeviceMemory as error:
        print(error.message)
    print(f(x).block_until_ready().device)
    child = os.fork()
    if not child:
        print("child", jitgrad.jit(lambda x: x + 1)(jnp.ones(2)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)


{"arrays": arrays, "everything": everything, "errors": errors, "fork": fork, "end": end}[sys.argv[1]]()
