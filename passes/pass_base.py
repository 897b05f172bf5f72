"""What passes share: a base class, diagnostics that name a line, and a rewriter that keeps locations.

A conversion is a table from op class to rule, applied in one forward walk:

    RULES = {hl.ReluOp: lambda b, op: [b.maximum(op.x, zero(b, op.x))]}

    %1 = hl.relu %0            loc(train.py:3)
    ->
    %z = hl.constant 0.0       loc(train.py:3)      everything a rule makes stands where the op stood
    %1 = hl.maximum %0, %z     loc(train.py:3)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from xdsl.context import Context
from xdsl.dialects.builtin import LocationAttr, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from ..dialects.hl.builder import IRBuilder
from ..dialects.locations import blame, blamed_on, describe, location_of
from ..dialects.marks import KERNEL_ATTRIBUTE
from ..dialects.types import DYNAMIC


class PassError(PassFailedException, RuntimeError):
    """A pass cannot handle an op. Knows where the user wrote that op."""

    def __init__(self, message: str, location: Attribute) -> None:
        line = describe(location)
        super().__init__(f"{line}: {message}" if line else message)
        self.message = message
        self.location = location


def fail(op: Operation, message: str) -> NoReturn:
    """Raises the PassError that names the line of `op`, or of what is around it if that is not known."""
    raise PassError(message, location_of(op))


@dataclass(frozen=True)
class FunctionPass(ModulePass):
    """A pass that looks at one function with a body at a time, so that one may be through all of them before the next
    begins."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in functions(op):
            if self.takes(function):
                with blamed_on(function):
                    self.apply_to_function(function)

    def takes(self, function: FuncOp) -> bool:
        """Whether the pass is meant for this function."""
        return True

    @abstractmethod
    def apply_to_function(self, function: FuncOp) -> None:
        """Rewrites one function in place."""


@dataclass(frozen=True)
class KernelPass(FunctionPass):
    """A pass that looks at one kernel at a time."""

    def takes(self, function: FuncOp) -> bool:
        return KERNEL_ATTRIBUTE in function.attributes


@dataclass(frozen=True)
class HostPass(ModulePass):
    """A pass that may look at kernels, but changes only what calls them."""


def functions(module: ModuleOp) -> Iterator[FuncOp]:
    """The functions of a module that have a body."""
    for op in list(module.body.block.ops):
        if isinstance(op, FuncOp) and not op.is_declaration:
            yield op


def kernels(module: ModuleOp) -> list[FuncOp]:
    """The kernels of a module, in order."""
    return [function for function in functions(module) if KERNEL_ATTRIBUTE in function.attributes]


class RecordingBuilder(IRBuilder):
    """An IRBuilder that remembers what it made."""

    def __init__(self, anchor: Operation) -> None:
        block = anchor.parent
        assert block is not None, "an op in a block"
        super().__init__(block, anchor, anchor.location)
        self.made: list[Operation] = []

    def insert(self, op: Operation) -> None:
        super().insert(op)
        self.made.append(op)


Rule = Callable[[RecordingBuilder, Any], "Sequence[SSAValue] | None"]
"""Builds what replaces an op, before it, and returns the values for its results; None leaves the op alone."""


def apply_rule(rule: Rule, op: Operation) -> RecordingBuilder | None:
    """Replaces one op by what its rule makes, at the op's location. None where the rule declined."""
    builder = RecordingBuilder(op)
    try:
        values = rule(builder, op)
    except Exception as error:
        blame(error, op)
        if isinstance(error, ValueError):
            fail_if_dynamic(op, f"{op.name}: what replaces it", error)
        raise
    if values is None:
        return None
    check_types(op, f"{op.name}: what replaces it", values)
    replace(op, values)
    return builder


def is_dynamic(op: Operation) -> bool:
    """Whether an op takes or makes a tensor with an extent that is not known."""
    return any(isinstance(t, TensorType) and DYNAMIC in t.get_shape() for t in (*op.operand_types, *op.result_types))


def fail_if_dynamic(op: Operation, what: str, error: ValueError) -> NoReturn:
    """Raises what a rule for `op` raised, as a PassError if the reason is an extent that is not known."""
    if not is_dynamic(op):
        raise error
    raise PassError(f"{what} needs static shapes, got {', '.join(map(str, op.operand_types))}", op.location) from error


def check_types(op: Operation, what: str, values: Sequence[SSAValue | None]) -> None:
    """Fails where a value that stands for a result of `op` knows more of its shape, or less."""
    for result, value in zip(op.results, values):
        if value is not None and value.type != result.type:
            fail(op, f"{what} needs static shapes: expected {result.type}, got {value.type}")


def replace(op: Operation, values: Sequence[SSAValue]) -> None:
    """Lets others use `values` for the results of an op, and removes the op; names of results live on."""
    for result, value in zip(op.results, values, strict=True):
        if result.name_hint and not value.name_hint:
            value.name_hint = result.name_hint
        result.replace_all_uses_with(value)
    remove(op)


def remove(op: Operation) -> None:
    """Detaches an op without uses, and drops its uses of others."""
    op.detach()
    op.erase()


def rewrite(region: Region, rules: Mapping[type[Operation], Rule]) -> int:
    """One forward walk that applies the rule for each op's class; returns how often. New ops are not visited again."""
    applied = 0
    for op in walk(region):
        rule = rules.get(type(op))
        if rule is not None and apply_rule(rule, op):
            applied += 1
    return applied


def walk(region: Region) -> Iterator[Operation]:
    """Every op of a region, outer before inner, in order. The op last seen may be replaced meanwhile."""
    for block in region.blocks:
        op = block.first_op
        while op is not None:
            following = op.next_op
            inner = op.regions
            yield op
            if op.parent is not None:
                for nested in inner:
                    yield from walk(nested)
            op = following


def post_condition(region: Region, illegal: Mapping[type[Operation], object], why: str) -> None:
    """Fails, by name and line, on the first op that a conversion should have removed."""
    for op in walk(region):
        if type(op) in illegal:
            fail(op, f"{op.name} {why}")


def parent_block(op: Operation) -> Block:
    """The block that an op stands in."""
    assert op.parent is not None, f"{op.name} stands in no block"
    return op.parent


__all__ = [
    "FunctionPass",
    "HostPass",
    "KernelPass",
    "LocationAttr",
    "PassError",
    "RecordingBuilder",
    "Rule",
    "apply_rule",
    "check_types",
    "fail",
    "fail_if_dynamic",
    "functions",
    "is_dynamic",
    "kernels",
    "parent_block",
    "post_condition",
    "remove",
    "replace",
    "rewrite",
    "walk",
]
