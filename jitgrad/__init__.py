"""jitgrad: a JIT-compiling autodiff library. Pure functions on arrays; `jit`, `grad` and `vmap` them in any order."""

from . import errors, tree
from .array import Array
from .config import config, disable_jit
from .differentiation import grad, hessian, jacfwd, jacrev, jvp, linearize, stop_gradient, value_and_grad, vjp
from .jit import block_until_ready, device_put, jit
from .tracing import ShapeDtypeStruct, eval_shape, make_graph
from .vectorization import vmap
