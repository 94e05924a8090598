"""Run by test_bindings.py in a process where libcuda.so.1 is libcuda.c's: prints the log of calls, or what was raised."""

import ctypes
import os
import sys
import threading

import numpy as np

from jitgrad.errors import DriverError
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
    driver.release(graph)
    driver.release(graph.functions[0].module)
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


{"everything": everything, "errors": errors, "fork": fork, "end": end}[sys.argv[1]]()
