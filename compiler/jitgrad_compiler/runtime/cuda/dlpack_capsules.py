"""DLPack's structures and the capsules that carry them (https://dmlc.github.io/dlpack/latest/c_api.html, version 1.1).

Other libraries call a structure's deleter from any thread, without Python's lock, and even when Python is gone. So it is machine
code, which asks for the lock where there is one and lets go of the Python object that has all the rest.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

from ...ir.types import BF16, DTYPES, F8_E4M3, ArrayType, DType
from ...targets.cpu.machine.native import NativeModule, compile_ir
from .driver import Driver
from .memory import DeviceMemory

VERSION = (1, 1)
CUDA, CUDA_MANAGED = 2, 13
READ_ONLY, IS_COPIED = 1, 2
_KINDS = {"signed": 0, "unsigned": 1, "float": 2, "complex": 5, "bool": 6}
CODES: dict[DType, tuple[int, int]] = {t: (_KINDS[t.kind], 8 * t.nbytes) for t in DTYPES.values()}
"""DLPack's code and bits of each element type."""
CODES.update({BF16: (4, 16), F8_E4M3: (10, 8)})
_TYPES = {code: t for t, code in CODES.items()}


class _Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int32), ("number", ctypes.c_int32))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("owner", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class _ManagedVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("owner", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_STRUCTURES: dict[bool, Any] = {False: _Managed, True: _ManagedVersioned}
_NAMES = {False: ctypes.c_char_p(b"dltensor"), True: ctypes.c_char_p(b"dltensor_versioned")}
_USED = {False: ctypes.c_char_p(b"used_dltensor"), True: ctypes.c_char_p(b"used_dltensor_versioned")}
_python = ctypes.pythonapi
_OBJECT, _POINTER = ctypes.py_object, ctypes.c_void_p
_new_capsule = ctypes.PYFUNCTYPE(_OBJECT, _POINTER, _POINTER, _POINTER)(("PyCapsule_New", _python))
_pointer_of = ctypes.PYFUNCTYPE(_POINTER, _OBJECT, _POINTER)(("PyCapsule_GetPointer", _python))
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, _OBJECT, _POINTER)(("PyCapsule_IsValid", _python))
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, _OBJECT, _POINTER)(("PyCapsule_SetName", _python))
_keep = ctypes.PYFUNCTYPE(None, _OBJECT)(("Py_IncRef", _python))


def _text(versioned: bool) -> str:
    structure, name = _STRUCTURES[versioned], _NAMES[versioned].value.decode()  # type: ignore[union-attr]
    return f"""
@name_{name} = internal constant [{len(name) + 1} x i8] c"{name}\\00"

define void @delete_{name}(ptr %self) {{
entry:
  %python = call i32 @Py_IsInitialized()
  %there = icmp ne i32 %python, 0
  br i1 %there, label %let_go, label %done
let_go:
  %place = getelementptr i8, ptr %self, i64 {structure.owner.offset}
  %owner = load ptr, ptr %place
  %lock = call i32 @PyGILState_Ensure()
  call void @Py_DecRef(ptr %owner)
  call void @PyGILState_Release(i32 %lock)
  br label %done
done:
  ret void
}}

define void @end_{name}(ptr %capsule) {{
entry:
  %valid = call i32 @PyCapsule_IsValid(ptr %capsule, ptr @name_{name})
  %untaken = icmp ne i32 %valid, 0
  br i1 %untaken, label %delete, label %done
delete:
  %self = call ptr @PyCapsule_GetPointer(ptr %capsule, ptr @name_{name})
  call void @delete_{name}(ptr %self)
  br label %done
done:
  ret void
}}
"""


_DECLARED = """
declare i32 @Py_IsInitialized()
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare void @Py_DecRef(ptr)
declare i32 @PyCapsule_IsValid(ptr, ptr)
declare ptr @PyCapsule_GetPointer(ptr, ptr)
"""


@cache
def _code_of_deleters() -> NativeModule:
    names = (
        "Py_IsInitialized", "PyGILState_Ensure", "PyGILState_Release", "Py_DecRef", "PyCapsule_IsValid", "PyCapsule_GetPointer",
    )  # fmt: skip
    symbols = {n: ctypes.cast(getattr(_python, n), _POINTER).value or 0 for n in names}
    module = compile_ir(_DECLARED + _text(False) + _text(True), symbols, codegen_level=0)
    _keep(module)  # for ever: other libraries may call it when this module is gone
    return module


class _Lent:
    """What a structure points to, kept until its deleter is called."""

    def __init__(self, memory: DeviceMemory, type: ArrayType, versioned: bool, copied: bool) -> None:
        name = _NAMES[versioned].value.decode()  # type: ignore[union-attr]
        ndim = len(type.shape)
        self.memory = memory
        self.shape = (ctypes.c_int64 * max(1, ndim))(*type.shape)
        self.strides = (ctypes.c_int64 * max(1, ndim))(*(math.prod(type.shape[n + 1 :]) for n in range(ndim)))
        self.managed = managed = _STRUCTURES[versioned]()
        data, place = memory.pointer if type.nbytes else None, _Device(CUDA, memory.device.number)
        managed.tensor = _Tensor(data, place, ndim, *CODES[type.dtype], 1, self.shape, self.strides, 0)
        managed.owner, managed.deleter = id(self), _code_of_deleters().address(f"delete_{name}")
        if versioned:
            managed.major, managed.minor = VERSION
            managed.flags = IS_COPIED if copied else READ_ONLY


def capsule(memory: DeviceMemory, type: ArrayType, versioned: bool, copied: bool) -> Any:
    """A capsule with an array's memory."""
    lent, name = _Lent(memory, type, versioned, copied), _NAMES[versioned]
    ends = _code_of_deleters().address(f"end_{name.value.decode()}")  # type: ignore[union-attr]
    made = _new_capsule(ctypes.addressof(lent.managed), name, ends)
    _keep(lent)  # until the deleter is called
    return made


class Borrowed:
    """What another library's capsule has. Its deleter is called when nothing refers to this any more, and what was asked on the
    device before has run.
    """

    def __init__(self, capsule: Any, driver: Driver) -> None:
        versioned = bool(_is_valid(capsule, _NAMES[True]))
        address = _pointer_of(capsule, _NAMES[versioned])
        managed = _STRUCTURES[versioned].from_address(address)
        _rename(capsule, _USED[versioned])
        self._driver, self._address = driver, address
        self._deleter = ctypes.CFUNCTYPE(None, _POINTER)(managed.deleter) if managed.deleter else None
        tensor = managed.tensor
        self.shape: tuple[int, ...] = tuple(tensor.shape[: tensor.ndim]) if tensor.ndim else ()
        self.strides: tuple[int, ...] | None = tuple(tensor.strides[: tensor.ndim]) if tensor.ndim and tensor.strides else None
        self.code, self.bits = tensor.code, tensor.bits
        self.dtype = _TYPES.get((tensor.code, tensor.bits)) if tensor.lanes == 1 else None
        self.pointer: int = (tensor.data or 0) + tensor.byte_offset

    def __del__(self) -> None:
        deleter, address = getattr(self, "_deleter", None), getattr(self, "_address", 0)
        if deleter is not None:
            self._driver.release(lambda: deleter(address))
