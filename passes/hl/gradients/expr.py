"""Derivatives written as formulas: `ct * (1 - y * y)` builds `hl.constant`, `hl.sub` and `hl.mul`.

    e.TanhOp: formula(lambda x, y, ct: ct * (1 - y * y)),
    e.MulOp: formulas(lambda x, y, _, ct: ct * y, lambda x, y, _, ct: ct * x),

A number is a constant of the other operand's spec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ....dialects.hl.builder import OpBuilder
from ....dialects.hl.elementwise import Predicate
from .call import OpCall, Rule


class TensorExpr:
    """A value and the builder of operations on it."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: OpBuilder[Any], value: Any) -> None:
        self.builder = builder
        self.value = value

    def like(self, number: float) -> TensorExpr:
        """A number everywhere, in this one's shape and element type."""
        return TensorExpr(self.builder, self.builder.constant_like(self.value, number))

    def same(self, other: TensorExpr | float) -> Any:
        """The value of another operand."""
        return other.value if isinstance(other, TensorExpr) else self.builder.constant_like(self.value, other)

    def __add__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.add(self.value, self.same(other)))

    def __radd__(self, other: float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.add(self.same(other), self.value))

    def __sub__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.sub(self.value, self.same(other)))

    def __rsub__(self, other: float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.sub(self.same(other), self.value))

    def __mul__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.mul(self.value, self.same(other)))

    def __truediv__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.div(self.value, self.same(other)))

    def __floordiv__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.floor_div(self.value, self.same(other)))

    def __pow__(self, other: TensorExpr | float) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.pow(self.value, self.same(other)))

    def __neg__(self) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.neg(self.value))

    def __and__(self, other: TensorExpr) -> TensorExpr:
        return TensorExpr(self.builder, self.builder.bitwise_and(self.value, other.value))

    def compare(self, predicate: Predicate, other: TensorExpr | float) -> TensorExpr:
        """Where `self <predicate> other` holds."""
        return TensorExpr(self.builder, self.builder.compare(predicate, self.value, self.same(other)))


def _function(name: str) -> Callable[[TensorExpr], TensorExpr]:
    """The elementwise op of a name."""
    return lambda x: TensorExpr(x.builder, getattr(x.builder, name)(x.value))


absolute, sign, exp, log, rsqrt = map(_function, ("abs", "sign", "exp", "log", "rsqrt"))
sin, cos, sinh, cosh, tanh = map(_function, ("sin", "cos", "sinh", "cosh", "tanh"))
sigmoid, erf, trunc, stop_gradient = map(_function, ("sigmoid", "erf", "trunc", "stop_gradient"))


def square(x: TensorExpr) -> TensorExpr:
    return x * x


def maximum(x: TensorExpr, y: TensorExpr) -> TensorExpr:
    return TensorExpr(x.builder, x.builder.maximum(x.value, y.value))


def select(condition: TensorExpr, x: TensorExpr, y: TensorExpr) -> TensorExpr:
    """x where the condition holds, y elsewhere."""
    return TensorExpr(x.builder, x.builder.select(condition.value, x.value, y.value))


class _Name(str):
    """A value of a function being written."""


class _Recorder:
    """A builder that writes down what is asked of it, as the lines of a function of a builder `b`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: dict[str, float] = {}

    def __getattr__(self, method: str) -> Callable[..., _Name]:
        def record(*arguments: Any) -> _Name:
            name = _Name(f"t{len(self.lines)}")
            self.lines.append(f"{name} = b.{method}({', '.join(map(self.text, arguments))})")
            return name

        return record

    def text(self, argument: Any) -> str:
        if isinstance(argument, _Name):
            return argument
        if isinstance(argument, str):
            return repr(argument)
        name = f"k{len(self.numbers)}"
        self.numbers[name] = argument
        return name


class _Written:
    """A derivative as a function of a builder and values, written when it is first asked for: eager code runs a rule
    for every op of a step, and should not make expressions each time."""

    def __init__(self, derivative: Callable[..., TensorExpr], parameters: tuple[str, ...]) -> None:
        self.derivative, self.parameters = derivative, parameters
        self.function: Callable[..., Any] = self.write

    def write(self, b: OpBuilder[Any], *values: Any) -> Any:
        recorder: Any = _Recorder()
        result = self.derivative(*(TensorExpr(recorder, _Name(name)) for name in self.parameters))
        source = "\n    ".join(
            [f"def written(b, {', '.join(self.parameters)}):", *recorder.lines, f"return {result.value}"]
        )
        scope: dict[str, Any] = dict(recorder.numbers)
        exec(source, scope)
        self.function = scope["written"]
        return self.function(b, *values)


Formula: TypeAlias = Callable[[TensorExpr, TensorExpr, TensorExpr], TensorExpr]
"""(operand, result, cotangent of the result) -> cotangent of the operand."""
BinaryFormula: TypeAlias = Callable[[TensorExpr, TensorExpr, TensorExpr, TensorExpr], TensorExpr]
"""(first operand, second operand, result, cotangent of the result) -> cotangent of one operand."""


def formula(derivative: Formula) -> Rule:
    """The rule of an op with one operand and one result."""
    written = _Written(derivative, ("x", "y", "ct"))

    def rule(b: OpBuilder[Any], call: OpCall[Any]) -> Sequence[Any]:
        return (written.function(b, call.x, call.y, call.ct),)

    return rule


def formulas(*derivatives: BinaryFormula) -> Rule:
    """The rule of an op with two operands, each asked only where its cotangent is wanted."""
    written = [_Written(derivative, ("x", "y", "result", "ct")) for derivative in derivatives]

    def rule(b: OpBuilder[Any], call: OpCall[Any]) -> Sequence[Any]:
        x, y = call.operands
        return [w.function(b, x, y, call.y, call.ct) if need else None for w, need in zip(written, call.needs)]

    return rule
