"""Verification with the place of the fault: every op's own rules, and that values are defined before they are used."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from math import prod

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, UnitAttr
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.dialects.memref import AllocaOp, AllocOp
from xdsl.dialects.scf import ForOp
from xdsl.dialects.tensor import FromElementsOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import DiagnosticException

from ..dialects.hl.autodiff import GradientOp
from ..dialects.linalg_rules import relax
from ..dialects.locations import describe, location_of
from ..dialects.spmd import SPACE, Space, SpaceAttr
from .interface import check_marks
from .pass_base import PassError, fail


class VerifyError(DiagnosticException):
    """An op breaks a rule. `location` says where it comes from."""

    def __init__(self, message: str, location: Attribute) -> None:
        line = describe(location)
        super().__init__(f"{line}: {message}" if line else message)
        self.message = message
        self.location = location


_BY_SIGNATURE = ("arith.", "hl.", "math.", "memref.", "scf.", "vector.", "vectorx.")
"""Dialects whose rules speak of an op's types and attributes and of its parent; in scf, of the edges of its regions
too. A program has thousands of their ops, and few signatures: one op of each is checked."""
_BY_VALUE = (FloatAttr, IntegerAttr, UnitAttr)
"""Attributes that are made anew at each use, and cheap to compare."""


def verify(module: ModuleOp) -> None:
    """Raises VerifyError for the first op that breaks its rules or uses what is not defined yet."""
    relax()
    symbols = _symbols(module)
    _check(module)
    calls: list[CallOp] = []
    for region in module.regions:
        _verify_region(region, set(), set(), symbols, calls)
    _check_recursion(symbols, calls)


def _symbols(module: ModuleOp) -> dict[str, FuncOp]:
    """The functions of a module by name."""
    symbols: dict[str, FuncOp] = {}
    for op in module.body.ops:
        if isinstance(op, FuncOp):
            first = symbols.setdefault(op.sym_name.data, op)
            if first is not op:
                other = describe(first.location)
                place = f" at {other}" if other else ""
                raise VerifyError(
                    f"func.func: expected one function of each name, but @{op.sym_name.data} is defined{place} already",
                    location_of(op),
                )
    return symbols


def _check_call(op: CallOp, symbols: dict[str, FuncOp]) -> None:
    callee = op.callee.string_value()
    if callee not in symbols:
        known = ", ".join(f"@{name}" for name in symbols)
        raise VerifyError(f"func.call: '@{callee}' could not be found: expected one of {known}", location_of(op))


def _check_step(op: ForOp) -> None:
    """A loop that does not go on would never end."""
    step = op.step.owner
    if isinstance(step, ConstantOp) and isinstance(step.value, IntegerAttr) and step.value.value.data < 1:
        raise VerifyError(f"scf.for: expected a step of at least 1, got {step.value.value.data}", location_of(op))


def _check_elements(op: FromElementsOp) -> None:
    """As many elements as the tensor has: a loop over an extent of 0 would have nowhere to put one."""
    count, given = prod(op.result.type.get_shape()), len(op.elements)
    if given != count:
        fail(op, f"{op.name}: expected {count} elements for {op.result.type}, got {given}")


_SPACES: dict[type[Operation], tuple[Space, ...]] = {AllocOp: (Space.GLOBAL, Space.TEAM), AllocaOp: (Space.PRIVATE,)}


def _check_space(op: Operation) -> None:
    """The memory space of an allocation is one that it can be in."""
    known, given = _SPACES.get(type(op), ()), op.attributes[SPACE]
    if not known:
        fail(op, f"{op.name}: {SPACE}: expected it on an allocation")
    if not isinstance(given, SpaceAttr) or given.data not in known:
        fail(op, f"{op.name}: {SPACE}: expected {' or '.join(str(SpaceAttr(s)) for s in known)}, got {given}")


def _check_recursion(symbols: dict[str, FuncOp], calls: list[CallOp]) -> None:
    """Functions that call each other in a circle would never end: nothing at any level could decide to."""
    remaining: dict[str, list[CallOp]] = {name: [] for name in symbols}
    for call in calls:
        remaining[_caller(call)].append(call)
    for name in symbols:
        path = [name]
        while path:
            if not remaining[path[-1]]:
                path.pop()
                continue
            call = remaining[path[-1]].pop()
            callee = call.callee.string_value()
            if callee in path:
                circle = " -> ".join(f"@{n}" for n in [*path[path.index(callee) :], callee])
                raise VerifyError(f"func.call: expected calls without recursion, got {circle}", location_of(call))
            path.append(callee)


def _caller(call: CallOp) -> str:
    op: Operation | None = call
    while op is not None and not isinstance(op, FuncOp):
        op = op.parent_op()
    if op is None:
        raise VerifyError("func.call: expected it in a function", location_of(call))
    return op.sym_name.data


def _signature(op: Operation) -> Hashable | None:
    """The same for ops that are judged alike; None for one that is judged by itself. Types and most values by `id`."""
    if not op.name.startswith(_BY_SIGNATURE) or op.successors or isinstance(op, GradientOp):
        return None
    if op.regions and not op.name.startswith("scf."):
        return None
    values = [*op.properties.items(), *op.attributes.items()]
    key: list[Hashable] = [
        type(op),
        *[id(operand.type) for operand in op.operands],
        None,
        *[id(result.type) for result in op.results],
        *[(name, value if isinstance(value, _BY_VALUE) else id(value)) for name, value in values],
        len(op.attributes),
        type(op.parent_op()) if op.next_op is None else None,
        *[_edges(region) for region in op.regions],
    ]
    return tuple(key)


def _edges(region: Region) -> Hashable:
    """The types that go into the blocks of a region, and those that come out."""
    return tuple(
        (
            tuple(id(argument.type) for argument in block.args),
            type(block.last_op),
            tuple(id(operand.type) for operand in block.last_op.operands) if block.last_op else (),
        )
        for block in region.blocks
    )


def _verify_region(
    region: Region,
    visible: set[SSAValue],
    judged: set[Hashable],
    symbols: dict[str, FuncOp],
    calls: list[CallOp],
) -> None:
    """One block a region is what all our levels have; several are checked op by op, without dominance."""
    blocks = list(region.blocks)
    for block in blocks:
        added = [*block.args, *(_defined(blocks) if len(blocks) > 1 else ())]
        visible.update(added)
        for op in block.ops:
            for operand in op.operands:
                if operand not in visible:
                    name = f"%{operand.name_hint}" if operand.name_hint else "a value"
                    raise VerifyError(f"{op.name}: {name} is used before it is defined", location_of(op))
            if type(op) is CallOp:
                _check_call(op, symbols)
                calls.append(op)
            elif type(op) is ForOp:
                _check_step(op)
            signature = _signature(op)
            if signature not in judged:
                _check(op)
                if signature is not None:
                    judged.add(signature)
            for inner in op.regions:
                _verify_region(inner, visible, judged, symbols, calls)
            visible.update(op.results)
            added.extend(op.results)
        visible.difference_update(added)


def _defined(blocks: list[Block]) -> Iterator[SSAValue]:
    for block in blocks:
        yield from block.args
        for op in block.ops:
            yield from op.results


def _check(op: Operation) -> None:
    try:
        op.verify(verify_nested_ops=False)
        if SPACE in op.attributes:
            _check_space(op)
        if isinstance(op, FromElementsOp):
            _check_elements(op)
        if isinstance(op, FuncOp):
            check_marks(op)
            if any(block.last_op is None for block in op.body.blocks):
                fail(op, "func.func: expected func.return at the end of the body")
    except PassError as error:
        raise VerifyError(error.message, error.location) from error
    except DiagnosticException as error:
        raise VerifyError(str(error), location_of(op)) from error
    except Exception as error:  # upstream rules raise what they like, `Exception` itself too
        raise VerifyError(f"{op.name}: {error or 'malformed'}", location_of(op)) from error
