"""jitgrad: a JIT-compiling autodiff library. Pure functions on arrays; `jit`, `grad` and `vmap` them in any order."""

from . import ad_checkpoint, checkpoint_policies, debug, errors, lax, nn, numpy, optim, random, scipy, testing, tree
from .array import Array
from .checkpointing import checkpoint, checkpoint_name, remat
from .config import config, disable_jit
from .custom_derivatives import custom_jvp, custom_vjp
from .differentiation import grad, hessian, jacfwd, jacrev, jvp, linearize, stop_gradient, value_and_grad, vjp
from .jit import block_until_ready, device_put, jit
from .linear_functions import closure_convert, linear_transpose
from .scalar_functions import elementwise
from .tracing import ShapeDtypeStruct, eval_shape, make_graph
from .vectorization import vmap

__version__ = "0.1.0"

__all__ = [
    "Array", "ShapeDtypeStruct", "ad_checkpoint", "block_until_ready", "checkpoint", "checkpoint_name", "checkpoint_policies",
    "closure_convert", "config", "custom_jvp", "custom_vjp", "debug", "device_put", "disable_jit", "elementwise", "errors",
    "eval_shape", "grad", "hessian", "jacfwd", "jacrev", "jit", "jvp", "lax", "linear_transpose", "linearize", "make_graph",
    "nn", "numpy", "optim", "random", "remat", "scipy", "stop_gradient", "testing", "tree", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
