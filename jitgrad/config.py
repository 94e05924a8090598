"""Settings, assignable at any time: `jitgrad.config.num_threads = 4`, or by name: `jitgrad.config.update("num_threads", 4)`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from difflib import get_close_matches
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """How a setting begins, what it takes, and whether traced programs depend on it."""

    start: Callable[[], Any]
    check: Callable[[str, Any], Any]
    """From the setting's name and what it is given to what is kept; raises ValueError."""
    traced: bool = False


def _count(name: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"config.{name} must be an integer of at least 1, got {n!r}")
    return n


def _float_type(name: str, value: Any) -> str:
    word = getattr(value, "__name__", str(value))
    if word not in ("float32", "float64"):
        raise ValueError(f"config.{name} must be 'float32' or 'float64', got {word!r}")
    return word


def _switch(name: str, value: Any) -> bool:
    if value not in (True, False):
        raise ValueError(f"config.{name} must be True or False, got {value!r}")
    return bool(value)


CHECKS = ("index", "linalg")


def _checks(name: str, kinds: Any) -> tuple[str, ...]:
    if not isinstance(kinds, (tuple, list)) or any(k not in CHECKS for k in kinds):
        raise ValueError(f"config.{name} is a tuple of kinds of checks among {', '.join(map(repr, CHECKS))}, got {kinds!r}")
    return tuple(sorted(set(kinds)))


def _device(name: str, value: Any) -> Any:
    from .devices import CPU, as_device

    device = CPU if value is None else as_device(f"config.{name}", value)
    return None if device == CPU else device


FILTERING = ("auto", "remove_frames", "quiet_remove_frames", "tracebackhide", "off")


def _filtering(name: str, value: Any) -> str:
    if value not in FILTERING:
        raise ValueError(f"config.{name} must be one of {', '.join(map(repr, FILTERING))}, got {value!r}")
    return str(value)


def _x64_from_environment() -> bool:
    given = os.environ.get("JITGRAD_ENABLE_X64", "1").lower()
    if given not in WORDS:
        raise ValueError(f"JITGRAD_ENABLE_X64 must be one of {', '.join(WORDS)}, got {given!r}")
    return WORDS[given]


WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _fixed(why: str, *accepted: Any) -> Setting:
    """A setting of jax's that has one meaning here: what means that is taken, everything else refused."""

    def check(name: str, value: Any) -> Any:
        if value not in accepted or value is not None and type(value) not in {type(a) for a in accepted}:
            raise ValueError(f"config.{name} = {value!r} has no meaning here: {why}. It may be {' or '.join(map(repr, accepted))}")
        return value

    return Setting(lambda: accepted[0], check)


_PRECISIONS = (
    None, "default", "high", "highest", "float32", "tensorfloat32", "bfloat16", "bfloat16_3x", "fastest", "ANY_F8_ANY_F8_F32",
)  # fmt: skip


def _precision(name: str, value: Any) -> str | None:
    if value not in _PRECISIONS:
        raise ValueError(f"config.{name} must be one of {', '.join(map(repr, _PRECISIONS))}, got {value!r}")
    return None if value is None else str(value)


FIXED = {
    "jax_platforms": _fixed("programs run on the processor", "cpu", "", None),
    "jax_platform_name": _fixed("programs run on the processor", "cpu", "", None),
    "jax_num_cpu_devices": _fixed("the processor is one device; num_threads says how many cores it uses", 1, -1),
    "jax_numpy_dtype_promotion": _fixed("types always promote by the standard lattice", "standard"),
    "jax_numpy_rank_promotion": _fixed("ranks always promote as in NumPy", "allow"),
    "jax_threefry_partitionable": _fixed("random numbers are those of the partitionable threefry", True),
    "jax_default_prng_impl": _fixed("random numbers are threefry's", "threefry2x32"),
    "jax_enable_custom_prng": _fixed("random.key makes typed keys, random.PRNGKey raw ones", False, True),
    "jax_compilation_cache_dir": _fixed("programs are not kept on disk", None),
    "jax_enable_compilation_cache": _fixed("programs are not kept on disk", False, True),
    "jax_default_dtype_bits": _fixed("config.default_float says the type of floats made without one", None),
    "jax_check_tracer_leaks": _fixed("a traced value that leaked always raises where it is used", False, True),
    "jax_log_compiles": _fixed("compilations are not logged", False),
    "jax_explain_cache_misses": _fixed("compilations are not logged", False),
    "jax_transfer_guard": _fixed("there is one device, and nothing is transferred", "allow", None),
    "jax_softmax_custom_jvp": _fixed("softmax has the derivative of that rule", True, False),
    "jax_enable_checks": _fixed("graphs are checked in jitgrad's own tests", False),
    "jax_debug_log_modules": _fixed("nothing is logged", "", None),
}
"""Settings of jax's that programs make and that have one meaning here."""


def _threads_from_environment() -> int:
    given = os.environ.get("JITGRAD_NUM_THREADS", "")
    if given:
        if not given.isdigit() or int(given) < 1:
            raise ValueError(f"JITGRAD_NUM_THREADS must be an integer of at least 1, got {given!r}")
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SETTINGS = {
    "num_threads": Setting(_threads_from_environment, _count),
    "default_float": Setting(lambda: "float32", _float_type, traced=True),
    "jax_enable_x64": Setting(_x64_from_environment, _switch, traced=True),
    "disable_jit": Setting(lambda: False, _switch),
    "contract_products": Setting(lambda: True, _switch, traced=True),
    "traceback_filtering": Setting(lambda: os.environ.get("JITGRAD_TRACEBACK_FILTERING", "auto"), _filtering),
    "debug_nans": Setting(lambda: False, _switch, traced=True),
    "debug_infs": Setting(lambda: False, _switch, traced=True),
    "debug_key_reuse": Setting(lambda: False, _switch),
    "checked": Setting(lambda: (), _checks, traced=True),
    "default_device": Setting(lambda: None, _device),
    "jax_default_matmul_precision": Setting(lambda: None, _precision, traced=True),
    **FIXED,
}
_SHARED = ("disable_jit", "debug_nans", "debug_infs", "debug_key_reuse", "traceback_filtering", "default_device")
ALIASES = {f"jax_{name}": name for name in _SHARED}
"""jax's names of settings that are here under another one."""


class Config:
    """num_threads: how many threads run a program (1 or more, also above the cores; results do not depend on it).
    default_float: "float32" or "float64", the type of floats made without a type.
    jax_enable_x64: True: arrays may have 64-bit elements, and integers made without a type have; floats are default_float still.
    False, as jax begins: what goes into functions and what comes out has 32 bits, also where 64 are asked for. It begins as
    JITGRAD_ENABLE_X64 says, True by default.
    disable_jit: run jitted functions eagerly, equation by equation, for debugging.
    contract_products: let small compiled loops round a product together with the sum that reads it, and join constant factors, as C
    compilers do; what cancels, overflows or underflows as it is written still does. False: every operation rounds by itself.
    traceback_filtering: "auto" leaves jitgrad's own frames out of tracebacks, "off" shows them, "tracebackhide" marks them for
    IPython and pytest; it begins as JITGRAD_TRACEBACK_FILTERING says.
    debug_nans, debug_infs: raise InvalidValueError, a FloatingPointError, where an operation or a program gives a NaN or an
    infinity, naming the operation. Programs run slower then.
    debug_key_reuse: raise KeyReuseError where a random key that was used up is used again, naming both lines.
    checked: kinds of what raises an error while a program runs; `debug.checked` sets them for a block.
    default_device: where arrays are made, and programs run whose arrays lie nowhere else: None, the processor, or "cuda", "cuda:1".
    jax_default_matmul_precision: what products of float32 must be at least, where they don't say: None, float32's own precision, or
    a name of a `lax.Precision`; "tensorfloat32", for one, lets GPUs round their operands to 11 bits.

    A name that is no setting raises AttributeError, a value that a setting does not take ValueError.

    >>> config = Config()
    >>> config.num_threads = 2
    >>> config.update("jax_disable_jit", True)
    >>> config.num_threads, config.disable_jit
    (2, True)
    """

    num_threads: int
    default_float: str
    jax_enable_x64: bool
    disable_jit: bool
    contract_products: bool
    traceback_filtering: str
    debug_nans: bool
    debug_infs: bool
    debug_key_reuse: bool
    checked: tuple[str, ...]
    default_device: Any
    jax_default_matmul_precision: str | None
    traced: tuple[Any, ...]
    """The values of the settings that traced programs depend on: part of every program's key."""

    def __init__(self) -> None:
        self.__dict__["_listeners"] = {}
        self.__dict__.update({name: setting.start() for name, setting in SETTINGS.items()})
        self._note_traced()

    def update(self, name: str, value: Any) -> None:
        """Set a setting by its name, jitgrad's or jax's."""
        setattr(self, name, value)

    def listen(self, name: str, listener: Callable[[Any], None]) -> None:
        """Call `listener` with a setting's value, now and whenever it is set."""
        self.__dict__["_listeners"].setdefault(name, []).append(listener)
        listener(getattr(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        known = ALIASES.get(name, name)
        setting = SETTINGS.get(known)
        if setting is None:
            raise self._unknown(name)
        given, before = setting.check(name, value), self.__dict__[known]
        self.__dict__[known] = given
        try:
            for listener in self.__dict__["_listeners"].get(known, ()):
                listener(given)
        except BaseException:
            self.__dict__[known] = before
            raise
        if setting.traced:
            self._note_traced()

    def __getattr__(self, name: str) -> Any:
        if name in ALIASES:
            return self.__dict__[ALIASES[name]]
        raise self._unknown(name)

    def _note_traced(self) -> None:
        self.__dict__["traced"] = tuple(self.__dict__[name] for name, setting in SETTINGS.items() if setting.traced)

    def _unknown(self, name: str) -> AttributeError:
        near = get_close_matches(name, [*SETTINGS, *ALIASES], 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(n for n in SETTINGS if n not in FIXED)}."
        return AttributeError(f"config has no setting {name!r}; {hint}")


config = Config()


@contextmanager
def during(name: str, value: Any) -> Iterator[None]:
    """A setting for the time of a block."""
    before = getattr(config, name)
    setattr(config, name, value)
    try:
        yield
    finally:
        setattr(config, name, before)


def disable_jit(disable: bool = True) -> AbstractContextManager[None]:
    """Inside this block jitted functions run eagerly, so that print, pdb and Python's `if` see concrete numbers.

    >>> import jitgrad
    >>> with jitgrad.disable_jit():
    ...     print(jitgrad.jit(lambda x: x * 2 if x > 0 else x)(3.0))
    6.0
    """
    return during("disable_jit", disable)


def debug_nans(value: bool = True) -> AbstractContextManager[None]:
    """Inside this block an operation that gives a NaN raises, naming itself.

    >>> import jitgrad
    >>> with jitgrad.debug_nans():
    ...     jitgrad.config.debug_nans
    True
    """
    return during("debug_nans", value)


def debug_infs(value: bool = True) -> AbstractContextManager[None]:
    """Inside this block an operation that gives an infinity raises, naming itself.

    >>> import jitgrad
    >>> with jitgrad.debug_infs(False):
    ...     jitgrad.config.debug_infs
    False
    """
    return during("debug_infs", value)


def default_matmul_precision(value: str | None) -> AbstractContextManager[None]:
    """Inside this block products of float32 need no more than this precision, where they don't say themselves.

    "highest" and "float32" are their own, and so is None; "tensorfloat32", "high", "default", "fastest" and "bfloat16" let a GPU do
    them with operands rounded to TF32, 11 significant bits. On the processor, and of other types, they are done in full.

    >>> import jitgrad
    >>> with jitgrad.default_matmul_precision("tensorfloat32"):
    ...     print(jitgrad.config.jax_default_matmul_precision)
    tensorfloat32
    """
    return during("jax_default_matmul_precision", value)


def numpy_dtype_promotion(value: str) -> AbstractContextManager[None]:
    """Taken for jax's sake: "standard", by which types always promote. Raises ValueError for another one.

    >>> import jitgrad
    >>> with jitgrad.numpy_dtype_promotion("standard"):
    ...     pass
    """
    return during("jax_numpy_dtype_promotion", value)


def numpy_rank_promotion(value: str) -> AbstractContextManager[None]:
    """Taken for jax's sake: "allow", as ranks always promote. Raises ValueError for another one.

    >>> import jitgrad
    >>> with jitgrad.numpy_rank_promotion("allow"):
    ...     pass
    """
    return during("jax_numpy_rank_promotion", value)


def enable_x64(new_val: bool = True) -> AbstractContextManager[None]:
    """Inside this block `config.jax_enable_x64` is `new_val`.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> with jitgrad.enable_x64(False):
    ...     print(jnp.arange(2).dtype)
    int32
    """
    return during("jax_enable_x64", new_val)
