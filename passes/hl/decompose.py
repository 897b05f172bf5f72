"""Decompose: composites become the primitives that they are defined by.

    %1 = hl.silu %0          : tensor<4xf32>      loc(net.py:3)
    ->
    %2 = hl.sigmoid %0       : tensor<4xf32>      loc(net.py:3)
    %1 = hl.mul %0, %2       : tensor<4xf32>      loc(net.py:3)

Runs after differentiation: a composite's gradient rule is better than its parts'.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from ...dialects.hl.attention import AttentionGradientOp, AttentionOp
from ...dialects.hl.autodiff import BarrierOp
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.types import DYNAMIC, spec_of
from ..options import option
from ..pass_base import FunctionPass, RecordingBuilder, apply_rule, post_condition, replace, walk
from .decompositions import DECOMPOSITIONS


@dataclass(frozen=True)
class Decompose(FunctionPass):
    """Replaces every composite; none is left afterwards but attention, where the target has kernels for it."""

    name = "decompose"
    attention_kernels: int = option(0, 0, 1)
    """Whether attention stays whole, unless its rows are too long for a block's own memory."""

    def apply_to_function(self, function: FuncOp) -> None:
        for op in walk(function.body):
            pending = [op]
            while pending:
                current = pending.pop()
                if type(current) in DECOMPOSITIONS and not self.keeps(current):
                    builder = apply_rule(_rule, current)
                    pending.extend(builder.made if builder else ())
        rest = DECOMPOSITIONS.keys() - (_WITH_KERNELS if self.attention_kernels else ())
        post_condition(function.body, dict.fromkeys(rest), "was not decomposed")  # pyright: ignore[reportArgumentType]

    def keeps(self, op: Operation) -> bool:
        """Whether the target has a kernel for a composite."""
        if not self.attention_kernels or type(op) not in _WITH_KERNELS:
            return False
        query, key, value = (spec_of(operand.type) for operand in op.operands[:3])
        extents = {*query.shape, *key.shape, *value.shape}
        widths = query.shape[-1], value.shape[-1]
        return not extents & {0, DYNAMIC} and max(widths) * query.dtype.bits <= _LONGEST_ROW


_WITH_KERNELS = (AttentionOp, AttentionGradientOp)
_LONGEST_ROW = 128 * 32
"""Bits of a query, key or value."""


def _rule(b: RecordingBuilder, op: HLOp) -> tuple[SSAValue, ...]:
    return DECOMPOSITIONS[type(op)](b, *op.operands, **attributes_of(op))


@dataclass(frozen=True)
class DropBarriers(FunctionPass):
    """Removes `hl.barrier`, once no CSE on hl follows that it would have to stop.

    %1 = hl.barrier %0 : tensor<4xf32> -> tensor<4xf32>
    %2 = hl.exp %1     : tensor<4xf32>
    ->
    %2 = hl.exp %0     : tensor<4xf32>
    """

    name = "drop-barriers"

    def apply_to_function(self, function: FuncOp) -> None:
        for op in walk(function.body):
            if isinstance(op, BarrierOp):
                replace(op, op.operands)
