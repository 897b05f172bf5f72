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
from xdsl.ir import SSAValue

from ...dialects.hl.autodiff import BarrierOp
from ...dialects.hl.base import HLOp, attributes_of
from ..pass_base import FunctionPass, RecordingBuilder, apply_rule, post_condition, replace, walk
from .decompositions import DECOMPOSITIONS


@dataclass(frozen=True)
class Decompose(FunctionPass):
    """Replaces every composite; none is left afterwards."""

    name = "decompose"

    def apply_to_function(self, function: FuncOp) -> None:
        for op in walk(function.body):
            pending = [op]
            while pending:
                current = pending.pop()
                if type(current) in DECOMPOSITIONS:
                    builder = apply_rule(_rule, current)
                    pending.extend(builder.made if builder else ())
        post_condition(function.body, DECOMPOSITIONS, "was not decomposed")  # pyright: ignore[reportArgumentType]


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
