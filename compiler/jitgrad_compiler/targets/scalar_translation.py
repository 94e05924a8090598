"""Python functions of float64 numbers as LLVM functions, made from their syntax trees: the ops' own scalar functions are.

The language is small: floats, whole numbers and bools, assignments (of several names, too), `if`, `while`, `for` over a `range` or
a tuple of numbers from outside, `break`, `continue`, `return` of one value or several, operators, comparisons, functions of `math`,
abs, min, max, float and int, and calls of functions in this language. A name keeps one type. Whatever is outside raises
Untranslatable, and Numba compiles the function instead (`numba_scalar.py`), to the same meaning in ten times the time.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, NoReturn

from ..ir.types import BOOL, F64, I32, I64, DType
from ..python_source import find_source
from .emitter import Emitter
from .libm import MissingFunctionError, libm_function
from .llvm_text import LLVM_TYPES, Module, Reg


class Untranslatable(Exception):
    """The function is not in the language; the message says what is not."""


class _Signature(NamedTuple):
    symbol: str
    results: tuple[DType, ...]

    @property
    def llvm(self) -> str:
        """The LLVM type of what the function returns: a struct of several values."""
        inner = ", ".join(LLVM_TYPES[t] for t in self.results)
        return inner if len(self.results) == 1 else f"{{ {inner} }}"


_COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_ROUNDINGS = {math.floor: "floor", math.ceil: "ceil", math.trunc: "trunc"}
_WHOLE: dict[type[ast.operator], Callable[[Emitter], Callable[..., Reg]]] = {
    ast.BitAnd: lambda e: e.and_, ast.BitOr: lambda e: e.or_, ast.BitXor: lambda e: e.xor
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Emitter], Callable[..., Reg]]] = {
    ast.Add: lambda e: e.add, ast.Sub: lambda e: e.sub, ast.Mult: lambda e: e.mul
}  # fmt: skip


def translate(function: FunctionType, module: Module, arity: int) -> tuple[str, DType]:
    """Define the function and all that it calls in `module`; its name there, and the type of its result."""
    signature = _Functions(module).of(function, (F64,) * arity)
    if len(signature.results) != 1:
        raise Untranslatable("a function that returns several values")
    return signature.symbol, signature.results[0]


class _Functions:
    """The functions of one module, each translated once for each list of argument types."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._made: dict[tuple[int, tuple[DType, ...]], _Signature] = {}
        self._count = 0

    def of(self, function: FunctionType, arguments: tuple[DType, ...]) -> _Signature:
        key = (id(function), arguments)
        if key not in self._made:
            self._count += 1
            self._made[key] = _Translator(self, function, arguments, f"scalar.part{self._count}").run()
        return self._made[key]


class _Translator:
    """Writes one function. Names live in allocas, which LLVM makes registers of."""

    def __init__(self, functions: _Functions, function: FunctionType, arguments: tuple[DType, ...], symbol: str) -> None:
        try:
            self.node = find_source(function)
        except (OSError, SyntaxError, LookupError) as error:
            raise Untranslatable(str(error)) from error
        given = self.node.args
        if given.vararg or given.kwarg or given.kwonlyargs or given.defaults or len(given.args) != len(arguments):
            raise Untranslatable("arguments that are not plain positional ones")
        self.functions, self.function, self.symbol = functions, function, symbol
        self.names = [a.arg for a in given.args]
        typed = [(f"given.{n}", t) for n, t in zip(self.names, arguments, strict=True)]
        self.e = Emitter(functions.module, symbol, typed, internal=True)
        self.local: dict[str, tuple[Reg, DType]] = {}
        self.results: list[tuple[Reg, DType]] | None = None
        self.loops: list[tuple[str, str]] = []  # where continue and break go
        self.exit = self.e.fresh("return")

    def run(self) -> _Signature:
        for name, register in zip(self.names, self.e.args, strict=True):
            self.assign(name, register)
        if isinstance(self.node, ast.Lambda):
            self.leave(self.node.body)
        else:
            self.block(self.node.body)
        self.e.line("unreachable")  # no path ends without a return, which Python would make None
        if self.results is None:
            self.fail(self.node, "a function without a return")
        self.e.label(self.exit)
        values = [self.e.get(slot, type) for slot, type in self.results]
        signature = _Signature(self.symbol, tuple(type for _, type in self.results))
        self.e.result = signature.llvm
        if len(values) == 1:
            self.e.finish(values[0])
        else:
            whole = "poison"
            for n, value in enumerate(values):
                whole = self.e.op(f"insertvalue {signature.llvm} {whole}, {value.typed}, {n}", F64).text
            self.e.line(f"ret {signature.llvm} {whole}")
            self.e.close()
        return signature

    def fail(self, node: ast.AST, construct: str = "") -> NoReturn:
        raise Untranslatable(f"{construct or type(node).__name__} in line {getattr(node, 'lineno', 0)}")

    # -- statements

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                self.assign(name, self.value(value))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                values = self.values(value)
                if len(values) != len(targets):
                    self.fail(node)
                for target, register in zip(targets, values, strict=True):
                    self.assign(target.id if isinstance(target, ast.Name) else self.fail(target), register)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                self.assign(name, self.binary(node, operator, self.get(node, name), self.value(value)))
            case ast.Return(value=ast.expr() as value):
                self.leave(value)
            case ast.If(test=test, body=body, orelse=orelse):
                self.choose(test, lambda: self.block(body), lambda: self.block(orelse))
            case ast.While(test=test, body=body, orelse=[]):
                self.repeat(lambda: self.truth(test), body)
            case ast.For(
                target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]), body=body, orelse=[]
            ):
                self.count(name, bounds, body)
            case ast.For(target=target, iter=over, body=body, orelse=[]):
                self.over_numbers(target, over, body)
            case ast.Break() | ast.Continue() if self.loops:
                self.go(self.loops[-1][isinstance(node, ast.Break)])
            case ast.Pass() | ast.Expr(value=ast.Constant(value=str())):
                pass
            case _:
                self.fail(node)

    def assign(self, name: str, value: Reg) -> None:
        if name not in self.local:
            self.local[name] = self.e.alloca(value.type), value.type
        slot, type = self.local[name]
        self.e.set(slot, self.as_type(value, type))

    def as_type(self, value: Reg, type: DType) -> Reg:
        if value.type == type:
            return value
        if (value.type, type) == (I64, F64):
            return self.e.const(float(value.constant), F64) if value.constant is not None else self.e.convert(value, F64)
        raise Untranslatable(f"{self.function.__name__} puts {value.type} where {type} was")

    def leave(self, node: ast.expr) -> None:
        values = self.values(node)
        if self.results is None:
            self.results = [(self.e.alloca(v.type), v.type) for v in values]
        if len(values) != len(self.results):
            self.fail(node)
        for value, (slot, type) in zip(values, self.results, strict=True):
            self.e.set(slot, self.as_type(value, type))
        self.go(self.exit)

    def go(self, target: str) -> None:
        """Branch; what is written behind is reached by nobody."""
        self.e.branch(target)
        self.e.label(self.e.fresh("behind"))

    def choose(self, test: ast.expr, yes: Callable[[], None], no: Callable[[], None]) -> None:
        first, second, done = self.e.fresh("then"), self.e.fresh("else"), self.e.fresh("done")
        self.e.branch_if(self.truth(test), first, second)
        for label, body in ((first, yes), (second, no)):
            self.e.label(label)
            body()
            self.e.branch(done)
        self.e.label(done)

    def repeat(
        self,
        test: Callable[[], Reg],
        body: list[ast.stmt],
        before: Callable[[], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        head, inside, following, done = (self.e.fresh(n) for n in ("head", "body", "next", "exit"))
        self.e.branch(head)
        self.e.label(head)
        self.e.branch_if(test(), inside, done)
        self.e.label(inside)
        if before:
            before()
        self.loops.append((following, done))
        self.block(body)
        self.loops.pop()
        self.e.branch(following)
        self.e.label(following)
        if after:
            after()
        self.e.branch(head)
        self.e.label(done)

    def count(self, name: str, bounds: list[ast.expr], body: list[ast.stmt]) -> None:
        """for name in range(...): the step a number."""
        given = [self.value(b) for b in bounds]
        if any(g.type != I64 for g in given) or len(given) == 3 and not given[2].constant:
            self.fail(bounds[0], "a range of this kind")
        start, stop = given[:2] if len(given) > 1 else (self.e.const(0, I64), given[0])
        step = int(given[2].constant or 0) if len(given) == 3 else 1
        counter = self.counter(start)
        self.repeat(
            lambda: self.e.compare("lt" if step > 0 else "gt", self.e.get(counter, I64), stop), body,
            before=lambda: self.assign(name, self.e.get(counter, I64)),
            after=lambda: self.e.set(counter, self.e.add(self.e.get(counter, I64), step)),
        )  # fmt: skip

    def counter(self, start: Reg) -> Reg:
        slot = self.e.alloca(I64)
        self.e.set(slot, start)
        return slot

    def over_numbers(self, target: ast.expr, over: ast.expr, body: list[ast.stmt]) -> None:
        """for x in NUMBERS, of a tuple from outside; for k, x in enumerate(NUMBERS); for x, y in zip(FIRST, SECOND)."""
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        names = [part.id if isinstance(part, ast.Name) else self.fail(part) for part in parts]
        index_name, sources = "", [over]
        match over:
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner], keywords=[]) if len(names) == 2:
                index_name, *names = names
                sources = [inner]
            case ast.Call(func=ast.Name(id="zip"), args=inner, keywords=_):
                sources = inner
        tuples = [self.outer(source) for source in sources]
        if len(tuples) != len(names) or not all(isinstance(t, tuple) and all(isinstance(v, float) for v in t) for t in tuples):
            self.fail(over, "a loop over what is no tuple of floats")
        tables = [self.e.module.table(f"{self.symbol}.numbers{self.e.fresh('')}", t, F64) for t in tuples]
        counter = self.counter(self.e.const(0, I64))

        def before() -> None:
            index = self.e.get(counter, I64)
            if index_name:
                self.assign(index_name, index)
            for name, table in zip(names, tables, strict=True):
                self.assign(name, self.e.load(self.e.offset(table, index, F64), F64))

        count = min(map(len, tuples))
        self.repeat(
            lambda: self.e.compare("lt", self.e.get(counter, I64), count), body, before,
            after=lambda: self.e.set(counter, self.e.add(self.e.get(counter, I64), 1)),
        )  # fmt: skip

    # -- expressions

    def values(self, node: ast.expr) -> list[Reg]:
        """The values of a tuple, or of what gives one; otherwise one."""
        match node:
            case ast.Tuple(elts=parts):
                return [self.value(n) for n in parts]
            case ast.IfExp():
                return self.choice(node)
            case ast.Call():
                return self.call(node)
            case _:
                return [self.value(node)]

    def value(self, node: ast.expr) -> Reg:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return self.number(number)
            case ast.Name(id=name) if name in self.local:
                return self.get(node, name)
            case ast.Name() | ast.Attribute():
                number = self.outer(node)
                if not isinstance(number, int | float):
                    self.fail(node, f"{ast.unparse(node)}, which is no number")
                return self.number(number)
            case ast.UnaryOp(op=ast.USub(), operand=a):
                x = self.value(a)
                return self.number(-x.constant) if x.constant is not None else self.e.neg(x) if x.type == F64 else self.e.sub(0, x)
            case ast.UnaryOp(op=ast.UAdd(), operand=a):
                return self.value(a)
            case ast.UnaryOp(op=ast.Not(), operand=a):
                return self.e.xor(self.truth(a), True)
            case ast.BinOp(op=operator, left=a, right=b):
                return self.binary(node, operator, self.value(a), self.value(b))
            case ast.Compare(left=first, ops=comparisons, comparators=others):
                if any(type(c) not in _COMPARISONS for c in comparisons):
                    self.fail(node, "a comparison of this kind")
                return self.comparison(node, [self.value(n) for n in (first, *others)], comparisons)
            case ast.BoolOp(op=operator, values=[first, *rest]):
                return self.junction(isinstance(operator, ast.And), first, rest)
            case ast.IfExp() | ast.Call():
                results = self.values(node)
                return results[0] if len(results) == 1 else self.fail(node, "several values where one is expected")
            case ast.Subscript(value=ast.Call() as a, slice=ast.Constant(value=int(n))):
                results = self.call(a)
                return results[n] if -len(results) <= n < len(results) else self.fail(node)
            case _:
                self.fail(node)

    def number(self, value: float) -> Reg:
        return self.e.const(value, BOOL if isinstance(value, bool) else I64 if isinstance(value, int) else F64)

    def get(self, node: ast.AST, name: str) -> Reg:
        if name not in self.local:
            self.fail(node, f"{name}, which has no value here")
        return self.e.get(*self.local[name])

    def common(self, node: ast.AST, *values: Reg) -> list[Reg]:
        """Numbers of one type: floats where one is."""
        if any(v.type == BOOL for v in values):
            self.fail(node, "a bool among numbers")
        type = F64 if any(v.type == F64 for v in values) else I64
        return [self.as_type(v, type) for v in values]

    def binary(self, node: ast.AST, operator: ast.operator, a: Reg, b: Reg) -> Reg:
        kind = type(operator)
        x, y = self.common(node, a, b)
        if kind in _ARITHMETIC:
            return _ARITHMETIC[kind](self.e)(x, y)
        if kind is ast.Div:
            return self.e.div(self.as_type(x, F64), self.as_type(y, F64))
        if kind in _WHOLE and x.type == I64:
            return _WHOLE[kind](self.e)(x, y)
        self.fail(node, f"the operator {kind.__name__}")

    def comparison(self, node: ast.AST, values: list[Reg], operators: list[ast.cmpop]) -> Reg:
        result: Reg | None = None
        for a, b, operator in zip(values, values[1:], operators, strict=False):
            x, y = self.common(node, a, b)
            holds = self.e.compare(_COMPARISONS[type(operator)], x, y)
            result = holds if result is None else self.e.and_(result, holds)
        assert result is not None
        return result

    def truth(self, node: ast.expr) -> Reg:
        value = self.value(node)
        return value if value.type == BOOL else self.fail(node, "a number as a condition")

    def junction(self, both: bool, first: ast.expr, rest: list[ast.expr]) -> Reg:
        """a and b, a or b: b is computed only where it counts."""
        slot = self.e.alloca(BOOL)
        self.e.set(slot, self.truth(first))
        for node in rest:
            going = self.e.get(slot, BOOL)
            with self.e.when(going if both else self.e.xor(going, True)):
                self.e.set(slot, self.truth(node))
        return self.e.get(slot, BOOL)

    def choice(self, node: ast.IfExp) -> list[Reg]:
        """a if test else b: only one of them is computed. A whole number beside a float becomes one."""
        slots: list[dict[DType, Reg]] = []
        found: list[list[DType]] = []

        def side(branch: ast.expr) -> None:
            values = self.values(branch)
            found.append([v.type for v in values])
            slots.extend({t: self.e.alloca(t) for t in (F64, I64, BOOL)} for _ in values[len(slots) :])
            for value, places in zip(values, slots, strict=False):
                self.e.set(places[value.type], value)
                if value.type == I64:
                    self.e.set(places[F64], self.as_type(value, F64))

        self.choose(node.test, lambda: side(node.body), lambda: side(node.orelse))
        if len(found[0]) != len(found[1]):
            self.fail(node, "a choice between one value and several")
        results = []
        for places, first, second in zip(slots, *found, strict=True):
            if first != second and BOOL in (first, second):
                self.fail(node, "a bool among numbers")
            type = first if first == second else F64
            results.append(self.e.get(places[type], type))
        return results

    # -- calls

    def call(self, node: ast.Call) -> list[Reg]:
        function = self.outer(node.func)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self.fail(node, "a call with other than plain arguments")
        args = [self.value(a) for a in node.args]
        if isinstance(function, FunctionType):
            made = self.functions.of(function, tuple(a.type for a in args))
            text = f"call {made.llvm} @{made.symbol}({', '.join(a.typed for a in args)})"
            whole = self.e.op(text, made.results[0])
            if len(made.results) == 1:
                return [whole]
            return [self.e.op(f"extractvalue {made.llvm} {whole.text}, {n}", t) for n, t in enumerate(made.results)]
        return self.of_library(node, function, args)

    def of_library(self, node: ast.Call, function: Any, args: list[Reg]) -> list[Reg]:
        """Calls of what Python brings: `math` and the builtins."""
        e, name = self.e, getattr(function, "__name__", "")
        if function in (min, max) and len(args) > 1:
            found = args[0]
            for other in args[1:]:
                a, b = self.common(node, found, other)
                found = e.select(e.compare("lt" if function is min else "gt", b, a), b, a)
            return [found]
        if function is abs and len(args) == 1 and args[0].type == F64:
            return [e.abs(args[0])]
        if function is float and len(args) == 1:
            return [self.as_type(args[0], F64)]
        if function is int and len(args) == 1:
            return [e.convert(args[0], I64)]
        if getattr(math, name, None) is not function or not args:
            self.fail(node, f"a call of {ast.unparse(node.func)}")
        values = [self.as_type(a, F64) for a in args] if name != "ldexp" else args
        x = values[0]
        if function in _ROUNDINGS:
            return [e.convert(e.intrinsic(_ROUNDINGS[function], x), I64)]
        if function is math.isnan:
            return [e.isnan(x)]
        if function is math.isinf:
            return [e.compare("eq", e.abs(x), math.inf)]
        if function is math.frexp:
            slot = e.alloca(I32)
            mantissa = e.call(self.libm(node, "frexp"), F64, x, slot)
            assert mantissa is not None
            return [mantissa, e.convert(e.get(slot, I32), I64)]
        if function is math.ldexp:
            whole = e.within(e.add(values[1], 4096), 8192)  # more is 0 or inf, too
            values = [x, e.convert(e.sub(whole, 4096), I32)]
        result = e.call(self.libm(node, name), F64, *values)
        assert result is not None
        return [result]

    def libm(self, node: ast.AST, name: str) -> str:
        try:
            return libm_function(self.e.module, name, F64)
        except MissingFunctionError as error:
            self.fail(node, str(error))

    def outer(self, node: ast.expr) -> Any:
        """What a name that is not local, or an attribute of `math`, stands for; None if there is no such value."""
        if isinstance(node, ast.Attribute):
            module = self.outer(node.value)
            return getattr(math, node.attr, None) if isinstance(module, ModuleType) and module is math else None
        if not isinstance(node, ast.Name) or node.id in self.local:
            return None
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name == node.id:
                return cell.cell_contents
        return self.function.__globals__.get(node.id, getattr(builtins, node.id, None))
