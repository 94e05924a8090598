"""The grammar of the text form and its parser; `parse(str(graph)) == graph`, source lines aside. `graph.py` prints.

graph(a:f32[3], b:f32[3]) {
  c:f32[3] = mul a b                    # model.py:12
  d:f32[] = reduce_sum c [axes=(0,)]
  return d
}

graph    = "graph(" [binder {", " binder}] ") {" {equation} "return" {atom} "}"
equation = [binder {", " binder} "="] op {atom} ["[" param {", " param} "]"] ["#" source]
binder   = name ":" type          type = dtype "[" [size {"," size}] "]" | "tape[" type "]"
atom     = name | number ":" dtype
param    = name "=" (Python literal | graph | "(" graph {"," graph} ")")
"""

from __future__ import annotations

import ast
import re
from typing import Any

from .graph import OPS, Atom, Deferred, Eqn, Graph, IRError, Literal, Var
from .types import DTYPES, ArrayType, TapeType, Type

_TOKEN = re.compile(r"\s+|#[^\n]*")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, expected: str) -> IRError:
        line = self.text.count("\n", 0, self.at) + 1
        return IRError(f"parse: expected {expected} on line {line}, got {self.text[self.at : self.at + 40]!r}")

    def skip(self, newlines: bool = True) -> None:
        pattern = _TOKEN if newlines else re.compile(r"[ \t]+|#[^\n]*")
        while m := pattern.match(self.text, self.at):
            self.at = m.end()

    def take(self, pattern: str, what: str) -> str:
        self.skip()
        m = re.compile(pattern).match(self.text, self.at)
        if not m:
            raise self.fail(what)
        self.at = m.end()
        return m.group()

    def peek(self, literal: str) -> bool:
        self.skip()
        return self.text.startswith(literal, self.at)

    def binder(self, names: dict[str, Var]) -> Var:
        name = self.take(r"[a-z]+:", "a name and a type")[:-1]
        type = self.type()
        if name in names:
            raise IRError(f"parse: {name!r} is defined twice")
        names[name] = v = Var(type)
        return v

    def type(self) -> Type:
        if self.peek("tape["):
            self.take(r"tape\[", "'tape['")
            element = self.type()
            self.take(r"\]", "']'")
            return TapeType(element)  # type: ignore[arg-type]
        text = self.take(r"(bool|[a-z]+\d[a-z_\d]*)\[[\d,]*\]", "a type such as f32[3,4]")
        dtype, dims = text[:-1].split("[")
        if dtype not in DTYPES:
            raise IRError(f"parse: unknown element type {dtype!r}; known are {', '.join(DTYPES)}")
        return ArrayType(tuple(int(d) for d in dims.split(",") if d), DTYPES[dtype])

    def atom(self, names: dict[str, Var]) -> Atom:
        m = re.compile(r"(\([^()]*\)|-?[\w.+-]+):(bool|[a-z]+\d[a-z_\d]*)").match(self.text, self.at)
        if m:
            self.at = m.end()
            return Literal(DTYPES[m[2]].numpy.type(_number(m[1])), DTYPES[m[2]])
        name = self.take(r"[a-z]+", "a variable or a literal such as 2.0:f32")
        if name not in names:
            raise IRError(f"parse: {name!r} is used before it is defined")
        return names[name]

    def param_value(self) -> Any:
        self.skip()
        if self.text.startswith("graph(", self.at):
            return self.graph()
        if self.text.startswith("(graph(", self.at):
            self.at += 1
            graphs = []
            while not self.peek(")"):
                graphs.append(self.graph())
                if not self.peek(")"):
                    self.take(",", "','")
            self.take(r"\)", "')'")
            return tuple(graphs)
        start, depth, quote = self.at, 0, ""
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "\\":
                self.at += 1
            elif quote:
                quote = "" if c == quote else quote
            elif c in "'\"":
                quote = c
            elif c in "([{":
                depth += 1
            elif c in ")]}" and depth:
                depth -= 1
            elif c in ",]" and not depth:
                break
            self.at += 1
        try:
            return _named(ast.literal_eval(self.text[start : self.at].strip()))
        except (ValueError, SyntaxError):
            self.at = start
            raise self.fail("a Python literal") from None

    def graph(self) -> Graph:
        self.take(r"graph\(", "'graph('")
        names: dict[str, Var] = {}
        inputs, eqns = [], []
        while not self.peek(")"):
            inputs.append(self.binder(names))
            if not self.peek(")"):
                self.take(",", "','")
        self.take(r"\)\s*\{", "') {'")
        while not re.compile(r"return\b").match(self.text, self.at) and not self.peek("return"):
            eqns.append(self.equation(names))
        self.take("return", "'return'")
        outputs = []
        while not self.peek("}"):
            outputs.append(self.atom(names))
        self.take("}", "'}'")
        return Graph(inputs, eqns, outputs)

    def equation(self, names: dict[str, Var]) -> Eqn:
        fresh: dict[str, Var] = dict(names)
        outputs: list[Var] = []
        self.skip()
        if re.compile(r"[a-z]+:").match(self.text, self.at):
            outputs.append(self.binder(fresh))
            while self.peek(","):
                self.take(",", "','")
                outputs.append(self.binder(fresh))
            self.take("=", "'='")
        op = self.take(r"\w+", "an op's name")
        if op not in OPS:
            raise IRError(f"parse: there is no op named {op!r}")
        inputs, params = [], {}
        while True:
            self.skip(newlines=False)
            if self.text.startswith("\n", self.at) or self.text.startswith("[", self.at) or self.at >= len(self.text):
                break
            inputs.append(self.atom(names))
        if self.text.startswith("[", self.at):
            self.at += 1
            while not self.peek("]"):
                key = self.take(r"\w+=", "a parameter")[:-1]
                params[key] = self.param_value()
                if not self.peek("]"):
                    self.take(",", "','")
            self.take(r"\]", "']'")
        names.update(fresh)
        return Eqn(OPS[op], inputs, params, outputs)


def _named(value: Any) -> Any:
    """A param with names of element types and of deferred parts, also in tuples, read as what they name."""
    if isinstance(value, tuple):
        return tuple(map(_named, value))
    return Deferred.tokens.get(value) or DTYPES.get(value, value) if isinstance(value, str) else value


def _number(text: str) -> Any:
    if text in ("nan", "inf", "-inf"):
        return float(text)
    if text in ("True", "False"):
        return text == "True"
    try:
        return int(text)
    except ValueError:
        return complex(text) if "j" in text else float(text)


def parse(text: str) -> Graph:
    """The Graph that a text means; `parse(str(graph)) == graph`. Raises IRError, with the line, for a text that means none."""
    parser = _Parser(text)
    graph = parser.graph()
    parser.skip()
    if parser.at != len(text):
        raise parser.fail("the end of the text")
    return graph
