"""The IR: types, graphs, their text, the verifier, the builder and the interpreter. No op is defined here."""

from .graph import OPS, Eqn, Graph, IRError, Literal, Op, Var
from .interpreter import evaluate, interpret
from .parse import parse
from .types import ArrayType, TapeType
from .verify import verify

__all__ = [
    "OPS",
    "ArrayType",
    "Eqn",
    "Graph",
    "IRError",
    "Literal",
    "Op",
    "TapeType",
    "Var",
    "evaluate",
    "interpret",
    "parse",
    "verify",
]
