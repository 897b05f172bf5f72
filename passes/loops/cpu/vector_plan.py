"""Decides whether a loop can become vector operations, and how each value in it changes with the loop's counter.

A value is *uniform* (the same in all iterations), *linear* (an index that grows by a constant per iteration) or
*varying*. An access is contiguous where its last index grows by 1 and the others are uniform.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import arith, math, memref, scf
from xdsl.dialects.builtin import IndexType, MemRefType, NoneAttr, i1
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free

from ....dialects.types import is_memref
from ...utils.combiners import COMBINERS, neutral_element
from ...utils.constants import constant_value
from ...utils.loop_info import is_parallel, trip_count
from .expand_math import is_expandable
from .lanes import DIVISIONS, HARDWARE, WEIGHTS
from .strided import LARGEST_STRIDE

__all__ = ["Reduction", "VectorPlan", "plan_loop"]

_SHORT, _CHEAP = 4, 16
"""A loop of so few iterations needs so much work in each for a vector with most of its lanes masked to be faster."""


@dataclass
class Reduction:
    """A carried value of a reduction loop and what updates it."""

    combiner: type[Operation]
    kind: str
    neutral: int | float


@dataclass
class VectorPlan:
    """How a loop becomes vectors."""

    loop: scf.ForOp
    innermost: scf.ForOp
    """The loop whose iterations become lanes; another than `loop` in a reduction over several dimensions."""
    linear: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    varying: set[SSAValue] = field(default_factory=set[SSAValue])
    contiguous: set[Operation] = field(default_factory=set[Operation])
    strided: dict[Operation, int] = field(default_factory=dict[Operation, int])
    """Accesses whose lanes lie so many elements apart, in memory if not in the last dimension."""
    scattered: set[Operation] = field(default_factory=set[Operation])
    """Accesses that go lane by lane."""
    reductions: list[Reduction] = field(default_factory=list[Reduction])
    work: int = 0
    size: int = 0
    nested: bool = False
    maskable: bool = True
    """Whether lanes beyond the end may be computed and thrown away."""


def plan_loop(loop: scf.ForOp) -> VectorPlan | None:
    """A plan to vectorize this loop, or None where that is impossible or does not pay."""
    if not is_parallel(loop) or constant_value(loop.step) != 1:
        return None
    count = trip_count(loop)
    if count is not None and count < 2:
        return None
    return _plan_reduction(loop) if loop.iter_args else _plan_parallel(loop)


def _plan_parallel(loop: scf.ForOp) -> VectorPlan | None:
    plan = VectorPlan(loop, loop)
    plan.linear[loop.body.block.args[0]] = 1
    if not _Analysis(plan).block(loop.body.block):
        return None
    if not plan.contiguous and not plan.strided:
        return None
    if plan.scattered and (plan.nested or plan.work < 6 * len(plan.scattered)):
        return None
    count = trip_count(loop)
    if count is not None and count <= _SHORT and plan.work < _CHEAP:
        return None
    return plan


def _plan_reduction(loop: scf.ForOp) -> VectorPlan | None:
    innermost = _innermost(loop)
    if innermost is None:
        return None
    plan = VectorPlan(loop, innermost)
    block = innermost.body.block
    plan.linear[block.args[0]] = 1
    plan.varying.update(block.args[1:])
    if not _Analysis(plan).block(block) or plan.nested:
        return None
    if not (plan.contiguous or plan.strided) or (plan.scattered and plan.work < 6 * len(plan.scattered)):
        return None
    if not plan.maskable and innermost is not loop:
        return None
    end = block.last_op
    assert end is not None
    for argument, value in zip(block.args[1:], end.operands, strict=True):
        reduction = _reduction(argument, value, block)
        if reduction is None:
            return None
        plan.reductions.append(reduction)
    return plan


def _innermost(loop: scf.ForOp) -> scf.ForOp | None:
    """The last loop of a chain in which each passes what it carries straight on to the next."""
    inner = [op for op in loop.body.block.ops if op.regions]
    if not inner:
        return loop
    op, end = inner[0], loop.body.block.last_op
    assert end is not None
    if (
        len(inner) != 1
        or not isinstance(op, scf.ForOp)
        or not is_parallel(op)
        or tuple(op.iter_args) != tuple(loop.body.block.args[1:])
        or tuple(end.operands) != tuple(op.results)
        or any(isinstance(other, memref.StoreOp) for other in loop.body.block.ops)
    ):
        return None
    return _innermost(op)


def _reduction(argument: SSAValue, value: SSAValue, block: Block) -> Reduction | None:
    op = value.owner
    if not isinstance(op, Operation) or op.parent is not block or type(op) not in COMBINERS:
        return None
    uses = list(argument.uses)
    if len(uses) != 1 or uses[0].operation is not op or (type(op) is math.FmaOp and uses[0].index != 2):
        return None
    number = neutral_element(type(op), argument.type)
    return None if number is None else Reduction(type(op), COMBINERS[type(op)][0], number)


class _Analysis:
    """One walk over a loop's body that fills the plan; False as soon as something has no vector form."""

    def __init__(self, plan: VectorPlan) -> None:
        self.plan = plan

    def uniform(self, value: SSAValue) -> bool:
        return value not in self.plan.linear and value not in self.plan.varying

    def block(self, block: Block) -> bool:
        return all(self.op(op) for op in block.ops)

    def op(self, op: Operation) -> bool:
        plan = self.plan
        plan.size += 1
        match op:
            case scf.YieldOp() | arith.ConstantOp():
                return True
            case memref.LoadOp() | memref.StoreOp():
                return self.access(op)
            case scf.ForOp():
                plan.nested = True
                if not all(self.uniform(value) for value in (op.lb, op.ub, op.step)):
                    return False
                if any(isinstance(value.type, IndexType | MemRefType) for value in op.iter_args):
                    return False
                plan.varying.update(op.body.block.args[1:], op.results)
                return self.block(op.body.block)
            case scf.IfOp():
                plan.nested = True
                if op.results or not self.uniform(op.cond) or op.false_region.blocks:
                    return False
                return self.block(op.true_region.block)
            case _:
                return self.compute(op)

    def compute(self, op: Operation) -> bool:
        """Arithmetic: uniform of uniform operands, linear of linear ones where it can, else varying."""
        plan = self.plan
        if op.regions or not is_side_effect_free(op) or op.name.split(".")[0] not in ("arith", "math"):
            return False
        if all(self.uniform(value) for value in op.operands):
            return True
        coefficient = self.coefficient(op)
        if coefficient is not None:
            if coefficient:
                plan.linear[op.results[0]] = coefficient
            return True
        if isinstance(op, DIVISIONS):
            plan.maskable = False
        if op.name.startswith("math.") and not isinstance(op, HARDWARE) and not is_expandable(op):
            return False
        plan.work += WEIGHTS.get(type(op), 1)
        plan.varying.update(op.results)
        return True

    def coefficient(self, op: Operation) -> int | None:
        """By how much a sum or product of indices grows per iteration; None where it is not linear."""
        if not isinstance(op.results[0].type, IndexType) or any(value in self.plan.varying for value in op.operands):
            return None
        growth = [self.plan.linear.get(value, 0) for value in op.operands]
        match op:
            case arith.AddiOp():
                return growth[0] + growth[1]
            case arith.SubiOp():
                return growth[0] - growth[1]
            case arith.MuliOp():
                for (value, grows), other in (((op.lhs, growth[0]), op.rhs), ((op.rhs, growth[1]), op.lhs)):
                    factor = constant_value(other)
                    if grows and factor is not None:
                        return grows * factor
                    del value
                return None
            case _:
                return None

    def access(self, op: memref.LoadOp | memref.StoreOp) -> bool:
        plan = self.plan
        type_ = op.memref.type
        assert is_memref(type_)
        if not self.uniform(op.memref) or not isinstance(type_.layout, NoneAttr):
            return False
        indices = list(op.indices)
        if all(self.uniform(index) for index in indices):
            # Iterations are independent, so none of them writes a place that all have in common.
            return isinstance(op, memref.LoadOp)
        stride = self.stride(indices, type_.get_shape())
        if stride == 1 and indices[-1] in plan.linear:
            plan.contiguous.add(op)
        elif stride is not None and 1 <= stride <= LARGEST_STRIDE and type_.element_type != i1:
            plan.strided[op] = stride
        else:
            plan.scattered.add(op)
            plan.maskable = False
        if type_.element_type == i1:
            plan.maskable = False
        if isinstance(op, memref.LoadOp):
            plan.varying.add(op.res)
        return True

    def stride(self, indices: list[SSAValue], shape: tuple[int, ...]) -> int | None:
        """How many elements lie from one iteration's place to the next; None where that differs."""
        total, step = 0, 1
        for index, extent in zip(reversed(indices), reversed(shape), strict=True):
            if index in self.plan.varying:
                return None
            total += step * self.plan.linear.get(index, 0)
            step *= extent
        return total
