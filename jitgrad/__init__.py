"""jitgrad: a JIT-compiling autodiff library. Pure functions on arrays; `jit`, `grad` and `vmap` them in any order."""

from typing import TYPE_CHECKING

from . import clone as _clone  # noqa: F401  # isort: skip  (first: it finds the compiler)
from . import (
    ad_checkpoint,
    checkpoint_policies,
    core,
    custom_batching,
    debug,
    dtypes,
    errors,
    experimental,
    flatten_util,
    lax,
    numpy,
    ops,
    sharding,
    tree,
    tree_util,
    typing,
    util,
)
from .array import Array
from .callbacks import io_callback, pure_callback
from .checkpointing import checkpoint, checkpoint_name, remat
from .config import (
    config,
    debug_infs,
    debug_nans,
    default_matmul_precision,
    disable_jit,
    enable_x64,
    numpy_dtype_promotion,
    numpy_rank_promotion,
)
from .core import typeof
from .custom_derivatives import custom_jvp, custom_vjp
from .custom_gradient import custom_gradient
from .devices import (
    Device,
    default_backend,
    default_device,
    device_count,
    devices,
    local_device_count,
    local_devices,
    process_count,
    process_index,
)
from .differentiation import grad, jvp, linearize, stop_gradient, value_and_grad, vjp
from .dtypes import float0
from .jacobians import hessian, jacfwd, jacobian, jacrev
from .jit import jit
from .linear_functions import closure_convert, linear_transpose
from .publishing import public as _public
from .scalar_functions import elementwise
from .scopes import ensure_compile_time_eval, named_call, named_scope
from .sharding import shard_map
from .tracing import ShapeDtypeStruct, eval_shape, make_graph, make_jaxpr
from .transfers import block_until_ready, device_get, device_put
from .vectorization import vmap

if TYPE_CHECKING:
    from . import audio, data, image, io, metrics, models, nn, optim, random, scipy, testing, train

__version__ = "0.1.0"

__all__ = [
    "Array", "Device", "ShapeDtypeStruct", "ad_checkpoint", "audio", "block_until_ready", "checkpoint", "checkpoint_name",
    "checkpoint_policies", "closure_convert", "config", "core", "custom_batching", "custom_gradient", "custom_jvp", "custom_vjp",
    "data", "debug", "debug_infs", "debug_nans", "default_backend", "default_device", "default_matmul_precision", "device_count",
    "device_get", "device_put", "devices", "disable_jit", "dtypes", "elementwise", "enable_x64", "ensure_compile_time_eval",
    "errors", "eval_shape", "experimental", "flatten_util", "float0", "grad", "hessian", "image", "io", "io_callback", "jacfwd",
    "jacobian", "jacrev", "jit", "jvp", "lax", "linear_transpose", "linearize", "local_device_count", "local_devices",
    "make_graph", "make_jaxpr", "metrics", "models", "named_call", "named_scope", "nn", "numpy", "numpy_dtype_promotion",
    "numpy_rank_promotion", "ops", "optim", "process_count", "process_index", "pure_callback", "random", "remat", "scipy",
    "shard_map", "sharding", "stop_gradient", "testing", "train", "tree", "tree_util", "typeof", "typing", "util",
    "value_and_grad", "vjp", "vmap",
]  # fmt: skip

for _module in (core, debug, dtypes, flatten_util, tree_util, util):
    _public(_module.__name__, arguments=True)
_public(ops.__name__, replays=True, arguments=True)
_public(lax.__name__, later=("linalg",), replays=True, ambient=lax.collectives.__all__)
_public(numpy.__name__, later=("fft", "linalg"))
_public(tree.__name__, plain=("flatten", "unflatten", "leaves", "structure", "leaves_with_path"), arguments=True)
_public(
    __name__,
    later=("audio", "data", "image", "io", "metrics", "models", "nn", "optim", "random", "scipy", "testing", "train"),
    arguments=True,
)
