"""NVIDIA's driver behind the contract, on a stand-in for its package; and the package itself on a stand-in for libcuda."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jitgrad.errors import DeviceFault, DriverError, OutOfDeviceMemory
from jitgrad_compiler.runtime.cuda import api
from jitgrad_compiler.runtime.cuda.bindings import NvidiaDriver
from jitgrad_compiler.runtime.cuda.driver import Launch
from jitgrad_compiler.runtime.cuda.staging import PIECE

from .nvidia import Cuda

HERE = Path(__file__).parent
MAJOR = "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR"


@pytest.fixture
def cuda():
    return Cuda()


@pytest.fixture
def driver(cuda):
    made = NvidiaDriver(0, cuda)
    cuda.calls.clear()
    return made


def _fails(kind, f, *args):
    with pytest.raises(kind) as info:
        f(*args)
    return str(info.value)


def test_a_device_is_opened_on_its_primary_context_with_a_stream_and_a_pool_of_its_own(cuda):
    driver = NvidiaDriver(1, cuda)
    assert (driver.info.name, driver.info.capability, driver.info.driver_version) == ("Stub GPU", (9, 0), (12, 8))
    assert (driver.info.multiprocessors, driver.info.memory_bytes, driver.code, driver.stream) == (132, 1 << 30, "ptx", 80)
    assert "cuDevicePrimaryCtxRetain" in cuda.names() and ("cuStreamCreate", 1) in cuda.calls
    properties = next(call[1] for call in cuda.calls if call[0] == "cuMemPoolCreate")
    assert properties.location.id == 1


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda c: c.answers.update(cuInit=RuntimeError("Failed to dlopen libcuda.so")), "no NVIDIA driver (libcuda.so.1)"),
        (lambda c: c.answers.update(cuInit=100), "the driver finds none"),
        (lambda c: c.answers.update(cuInit=803), "Restart the machine"),
        (lambda c: c.answers.update(cuInit=34), "a stub to link against"),
        (lambda c: c.answers.update(cuInit=12345), "CUDA_ERROR_SOMETHING (as it was told)"),
        (lambda c: c.gives.update(cuDriverGetVersion=12020), "knows CUDA 12.2; programs are written for 12.3 (PTX 8.3)"),
        (lambda c: c.gives.update(cuDeviceGetCount=0), "no device cuda:0"),
        (lambda c: c.attributes.update({MAJOR: 7}), "compute capability 7.0; programs are written for 8.0"),
        (lambda c: c.answers.update(cuMemPoolCreate=RuntimeError("no function cuMemPoolCreate")), "has not what is asked of it"),
    ],
)  # fmt: skip
def test_a_driver_that_cannot_serve_says_why_and_what_to_do(cuda, prepare, words):
    prepare(cuda)
    message = _fails(DriverError, NvidiaDriver, 0, cuda)
    assert words in message
    assert any(advice in message for advice in ("nstall", "'cpu'", "Restart", "numbers", "CUDA_VISIBLE_DEVICES", "jitgrad.devices"))


def test_a_device_that_is_not_there_is_named_beside_those_that_are(cuda):
    assert "there is no device cuda:5: the driver has 2, cuda:0 to cuda:1" in _fails(DriverError, NvidiaDriver, 5, cuda)


def test_the_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    assert "pip install 'jitgrad[cuda]'" in _fails(DriverError, api.start)


def test_memory_that_is_not_there_is_told_with_the_bytes_asked_for_and_free(cuda, driver):
    message = _fails(OutOfDeviceMemory, driver.allocate, 5 << 30)
    assert (
        "5368709120 bytes (5 GiB)" in message
        and "1 GiB of 1 GiB are free" in message
        and "Make arrays or batches smaller" in message
    )
    driver.free(driver.allocate(1000))
    assert cuda.free == 1 << 30


def test_a_fault_names_the_program_before_and_ends_all_use_of_the_device(cuda, driver):
    function = driver.function(driver.load(""), "softmax_3", 0)
    address = driver.allocate(256)
    driver.launch(driver.graph([Launch(function, 1, 256, 0, ())]))
    cuda.answers["cuStreamQuery"] = 700
    message = _fails(DeviceFault, driver.synchronize)
    for words in (
        "CUDA_ERROR_ILLEGAL_ADDRESS",
        "The program launched last has the kernels softmax_3",
        "start it anew",
        "compute-sanitizer",
    ):
        assert words in message
    assert _fails(DeviceFault, driver.allocate, 8) == message
    before = len(cuda.calls)
    driver.free(address)
    driver.release(function.module)
    assert len(cuda.calls) == before


def test_ptx_that_the_driver_refuses_is_told_with_the_first_lines_of_its_log(cuda, driver):
    def refuse(image, count, options, values):
        lines = "".join(f"ptxas line {n}; error\n" for n in range(40))
        values[0][: len(lines)] = lines.encode()
        return 218, None

    cuda.answers["cuModuleLoadDataEx"] = refuse
    message = _fails(DriverError, driver.load, "x")
    assert "ptxas line 0; error" in message and "ptxas line 11" in message and "ptxas line 12" not in message
    cuda.answers["cuModuleLoadDataEx"] = 222
    assert "The driver (CUDA 12.8) is older than this code: install a newer one" in _fails(DriverError, driver.load, "x")


def test_shared_memory_beyond_what_all_kernels_have_is_asked_for(cuda, driver):
    module = driver.load("")
    driver.function(module, "small", 48 << 10)
    assert "cuFuncSetAttribute" not in cuda.names()
    driver.function(module, "large", 100_000)
    assert cuda.calls[-1] == ("cuFuncSetAttribute", 100, "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", 100_000)
    assert "needs 300000 bytes of shared memory, and the device lends 232448" in _fails(
        DriverError, driver.function, module, "k", 300_000
    )


def test_a_graph_is_a_chain_of_its_launches_with_their_words(cuda, driver):
    nodes = []

    def add(graph, before, count, node):
        places = (ctypes.c_void_p * 2).from_address(node.kernelParams)
        words = [ctypes.c_int64.from_address(place or 0).value for place in places]
        nodes.append((list(before), node.gridDimX, node.blockDimX, node.sharedMemBytes, words))
        if len(nodes) < 2:
            cuda.answers["cuGraphAddKernelNode"] = add
        return 0, 1000 + len(nodes)

    cuda.answers["cuGraphAddKernelNode"] = add
    function = driver.function(driver.load(""), "f", 0)
    driver.graph([Launch(function, 3, 256, 64, (1 << 63, -5)), Launch(function, 7, 128, 0, (1, 2), cooperative=True)])
    assert nodes == [([], 3, 256, 64, [-(1 << 63), -5]), ([1001], 7, 128, 0, [1, 2])]
    at_once = [call for call in cuda.calls if call[0] == "cuGraphKernelNodeSetAttribute"]
    assert [(call[1], call[2], call[3].cooperative) for call in at_once] == [(1002, "CU_LAUNCH_ATTRIBUTE_COOPERATIVE", 1)]
    assert driver.resident_blocks(function, 256, 0) == 8 * 132


def test_a_graph_that_still_runs_is_destroyed_when_it_has_run(cuda, driver):
    graph = driver.graph([])
    driver.launch(graph)
    cuda.answers["cuEventQuery"] = 600
    driver.release(graph)
    assert "cuGraphExecDestroy" not in cuda.names()
    driver.synchronize()
    assert cuda.names().count("cuGraphExecDestroy") == 1


def test_transfers_of_any_size_arrive_whole(cuda, driver):
    for nbytes in (0, 1, 4096, PIECE - 8, PIECE, 7 * PIECE + 24):
        sent = np.random.default_rng(0).integers(0, 256, nbytes, np.uint8)
        address, back = driver.allocate(nbytes + 1), np.empty_like(sent)
        driver.upload(address, sent.ctypes.data, nbytes)
        other = driver.allocate(nbytes + 1)
        driver.copy(other, address, nbytes)
        driver.download(back.ctypes.data, other, nbytes)
        np.testing.assert_array_equal(back, sent)
    assert cuda.names().count("cuMemHostAlloc") <= 6


def test_after_an_interrupted_transfer_pinned_memory_is_not_written_before_the_device_has_read_it(cuda, driver):
    data = np.zeros(PIECE, np.uint8)
    address = driver.allocate(PIECE)
    driver.upload(address, data.ctypes.data, PIECE)
    cuda.answers["cuEventRecord"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        driver.upload(address, data.ctypes.data, PIECE)
    cuda.calls.clear()
    driver.upload(address, data.ctypes.data, PIECE)
    assert cuda.names()[:2] == ["cuStreamQuery", "cuMemcpyHtoDAsync"]


def test_an_upload_aside_is_copied_from_pinned_memory_on_a_stream_of_its_own(cuda, driver):
    streams = iter([81])
    cuda.answers["cuStreamCreate"] = lambda flags: (0, next(streams))
    sent = np.random.default_rng(0).integers(0, 256, 2 * PIECE + 24, np.uint8)
    address, back, event = driver.allocate(sent.nbytes), np.empty_like(sent), driver.mark()
    cuda.calls.clear()
    driver.behind(event, aside=True)
    driver.upload_aside(address, sent.ctypes.data, sent.nbytes)
    driver.mark(event, aside=True)
    driver.behind(event)
    copies = [call for call in cuda.calls if call[0] == "cuMemcpyHtoDAsync"]
    assert len(copies) == 3 and all(call[-1] == 81 for call in copies)
    assert not any(sent.ctypes.data <= call[2] < sent.ctypes.data + sent.nbytes for call in copies), "what is pinned is copied"
    waits = [call[1] for call in cuda.calls if call[0] == "cuStreamWaitEvent"]
    assert waits == [81, driver.stream]
    assert [call[2] for call in cuda.calls if call[0] == "cuEventRecord"][-1] == 81
    driver.download(back.ctypes.data, address, sent.nbytes)
    np.testing.assert_array_equal(back, sent)


def test_another_librarys_context_is_current_again_when_a_call_returns(cuda, driver):
    cuda.current = 71
    driver.memory()
    assert [name for name in cuda.names() if "Ctx" in name] == ["cuCtxPushCurrent", "cuCtxPopCurrent"]
    cuda.calls.clear()
    cuda.current = 70
    driver.memory()
    assert cuda.names() == ["cuMemGetInfo"]


def test_a_launch_asks_the_driver_for_one_thing(cuda, driver):
    graph = driver.graph([])
    cuda.calls.clear()
    driver.launch(graph)
    assert cuda.names() == ["cuGraphLaunch"]


@pytest.mark.parametrize(("name", "cooperative", "extra"), [("Kernel", False, (0,)), ("CooperativeKernel", True, ())])
def test_a_kernel_that_is_started_by_itself_asks_the_driver_for_one_thing(cuda, driver, name, cooperative, extra):
    function, seen = driver.function(driver.load(""), "alone", 0), []

    def launched(*args):
        places = (ctypes.c_void_p * 2).from_address(args[9])
        seen.append((*args[:9], [ctypes.c_int64.from_address(place or 0).value for place in places], *args[10:]))
        return (0,)

    cuda.answers[f"cuLaunch{name}"] = launched
    cuda.calls.clear()
    driver.start(Launch(function, 3, 256, 64, (1 << 63, -5), cooperative))
    assert seen == [(100, 3, 1, 1, 256, 1, 1, 64, 80, [-(1 << 63), -5], *extra)]
    assert cuda.names() == [f"cuLaunch{name}"]
    cuda.answers[f"cuLaunch{name}"] = 700
    assert "The program launched last has the kernels alone" in _fails(
        DeviceFault, driver.start, Launch(function, 1, 32, 0, (), cooperative)
    )


def test_streams_of_others_are_ordered_by_events(cuda, driver):
    driver.follow(7)
    assert ("cuEventRecord", 110, 7) in cuda.calls and ("cuStreamWaitEvent", 80, 110, 0) in cuda.calls
    cuda.calls.clear()
    driver.lead(7)
    assert ("cuEventRecord", 110, 80) in cuda.calls and ("cuStreamWaitEvent", 7, 110, 0) in cuda.calls


def test_threads_that_wait_do_not_keep_others_from_asking(cuda, driver):
    waiting, going_on = threading.Event(), threading.Event()

    def busy(stream):
        waiting.set()
        if not going_on.is_set():
            cuda.answers["cuStreamQuery"] = busy
            return (600,)
        return (0,)

    cuda.answers["cuStreamQuery"] = busy
    thread = threading.Thread(target=driver.synchronize)
    thread.start()
    assert waiting.wait(10)
    driver.launch(driver.graph([]))
    going_on.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a libcuda.so.1 lies that needs no GPU."""
    pytest.importorskip("cuda.bindings", reason="the extra 'cuda' is not installed")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("libcuda")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", made / "libcuda.so.1", HERE / "libcuda.c", "-ldl"], check=True)
    return made


def _on_libcuda(folder, part):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run(
        [sys.executable, HERE / "on_libcuda.py", part], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_package_takes_what_it_is_given(folder):
    said = _on_libcuda(folder, "everything")
    for line in (
        "cuStreamCreate 1",
        "cuMemPoolCreate 1 0 1 0",
        "cuModuleLoadDataEx 12 log",
        "cuFuncSetAttribute k 8 50000",
        "cuGraphAddKernelNode k grid 3 1 1 block 256 1 1 shared 50000 words 7 -5 behind 0",
        "cuGraphKernelNodeSetAttribute 2 1",
        "cuGraphAddKernelNode k grid 1 1 1 block 32 1 1 shared 0 words 0 0 behind 1",
        "cuGraphLaunch 0x5000",
        "cuLaunchKernel k grid 5 1 1 block 128 1 1 shared 64 0x5000 word -9 extra (nil)",
        "cuLaunchCooperativeKernel k grid 5 1 1 block 128 1 1 shared 64 0x5000 word -9",
        "cuGraphExecDestroy ",
    ):
        assert line in said, line
    aside = ["cuStreamCreate 1", "cuStreamWaitEvent 0x5001 0", "cuMemcpyHtoDAsync 4194304 0x5001", "cuStreamWaitEvent 0x5000 0"]
    places = [said.index(line, said.index("cuGraphLaunch 0x5000")) for line in aside]
    assert places == sorted(places), "a stream of its own, behind the event; then the first stream behind that"
    assert said.count("cuCtxSetCurrent 0") == 2  # one a thread
    assert "free 67108864" in said


def test_the_packages_errors_are_told(folder):
    said = "\n".join(_on_libcuda(folder, "errors"))
    for words in (
        "DriverError cuda:0 (Stub GPU): loading",
        "Unknown symbol 'x'",
        "OutOfDeviceMemory",
        "DeviceFault",
        "has the kernels k, k.",
    ):
        assert words in said, words


def test_the_child_of_a_fork_is_told_to_start_otherwise(folder):
    said = _on_libcuda(folder, "fork")
    assert said[0].startswith("child DriverError a GPU was asked for, but this process was forked") and said[-1] == "parent 64 MiB"


def test_a_process_ends_well_with_memory_and_programs_of_a_device_alive(folder):
    assert _on_libcuda(folder, "end") == ["made"]


def test_programs_of_users_run_on_it_from_threads_and_are_named_where_memory_is_out(folder):
    said = _on_libcuda(folder, "arrays")
    start = r"jit of double: cuda:0 \(Stub GPU\): 48000000 bytes \(45.78 MiB\) were asked for, and (40|39\.9\d) MiB of 64 MiB"
    assert re.match(start, said[0])
    assert said[1:] == ["cuda:0", "child [2. 2.]"]
