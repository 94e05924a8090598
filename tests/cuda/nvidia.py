"""A stand-in for the package `cuda.bindings.driver`, which needs no GPU; libcuda.c is one for what the package loads."""

import ctypes
import functools
import types


class _Enumeration:
    """Any name is there, as itself; those that stand for bits as numbers."""

    def __getattr__(self, name):
        return {"CU_STREAM_NON_BLOCKING": 1, "CU_EVENT_DISABLE_TIMING": 2}.get(name, name)


class Cuda:
    """`calls`: what it was asked, as tuples of a name and arguments. `answers[name]`: what the next call of that name answers:
    an error code, an exception, or a function that gives it.
    """

    CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTALLOC_DEVICEMAP = 1, 2
    _GIVES = {
        "cuDriverGetVersion": 12080,
        "cuDeviceGetCount": 2,
        "cuDeviceGet": 0,
        "cuDeviceGetName": b"Stub GPU\0\0",
        "cuDeviceTotalMem": 1 << 30,
        "cuDevicePrimaryCtxRetain": 70,
        "cuStreamCreate": 80,
        "cuMemPoolCreate": 90,
        "cuModuleGetFunction": 100,
        "cuEventCreate": 110,
        "cuOccupancyMaxActiveBlocksPerMultiprocessor": 8,
        "cuGraphCreate": 120,
        "cuGraphAddKernelNode": 130,
        "cuGraphInstantiate": 140,
        "cuModuleLoadDataEx": 150,
        "cuCtxPopCurrent": 0,
    }
    _ATTRIBUTES = {
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR": 9,
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR": 0,
        "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT": 132,
        "CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": 232448,
    }

    def __init__(self):
        self.calls, self.answers = [], {}
        self.gives = dict(self._GIVES)
        self.attributes = dict(self._ATTRIBUTES)
        self.current = 0
        self.blocks = {}
        self.free = 1 << 30

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._call, name) if name.startswith("cu") else _Enumeration()

    def CUmemPoolProps(self):
        return types.SimpleNamespace(location=types.SimpleNamespace())

    CUDA_KERNEL_NODE_PARAMS = types.SimpleNamespace
    CUkernelNodeAttrValue = types.SimpleNamespace

    def names(self):
        return [call[0] for call in self.calls]

    def _call(self, name, *args):
        self.calls.append((name, *args))
        answer = self.answers.pop(name, 0)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return answer(*args)
        if answer:
            return (answer, None)
        own = getattr(self, "_" + name, None)
        if own is not None:
            return own(*args)
        return (0, self.gives[name]) if name in self.gives else (0,)

    def cuGetErrorName(self, code):
        return 0, {2: b"CUDA_ERROR_OUT_OF_MEMORY", 700: b"CUDA_ERROR_ILLEGAL_ADDRESS"}.get(int(code), b"CUDA_ERROR_SOMETHING")

    def cuGetErrorString(self, code):
        return 0, b"as it was told"

    def cuCtxGetCurrent(self):
        return 0, self.current

    def _cuCtxSetCurrent(self, context):
        self.current = context
        return (0,)

    def _cuDeviceGetAttribute(self, attribute, device):
        return 0, self.attributes[attribute]

    def _cuMemGetInfo(self):
        return 0, self.free, 1 << 30

    def _cuMemAllocFromPoolAsync(self, nbytes, pool, stream):
        if nbytes > self.free:
            return 2, None
        self.free -= nbytes
        block = (ctypes.c_char * (nbytes + 256))()
        address = (ctypes.addressof(block) + 255) & -256
        self.blocks[address] = block, nbytes
        return 0, address

    def _cuMemFreeAsync(self, address, stream):
        self.free += self.blocks.pop(address)[1]
        return (0,)

    def _cuMemHostAlloc(self, nbytes, flags):
        block = ctypes.create_string_buffer(nbytes)
        self.blocks[id(block)] = block, nbytes
        return 0, ctypes.addressof(block)

    def _cuMemcpyHtoDAsync(self, to, source, nbytes, stream):
        ctypes.memmove(to, source, nbytes)
        return (0,)

    def _cuMemHostGetDevicePointer(self, host, flags):
        return 0, host

    _cuMemcpyDtoHAsync = _cuMemcpyDtoDAsync = _cuMemcpyHtoDAsync
