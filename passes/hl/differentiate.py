"""Differentiate: puts ops in the place of `hl.gradient`, by reverse mode.

    %h = hl.tanh %w                  : tensor<4xf32>                  loc(net.py:3)
    %l = hl.reduce_sum %h over [0]   : tensor<4xf32> -> tensor<f32>   loc(net.py:4)
    %g = hl.gradient %l wrt %w       : tensor<4xf32>
    ->
    %h = hl.tanh %w
    %l = hl.reduce_sum %h over [0]
    %1 = hl.constant 1.0             : tensor<f32>
    %2 = hl.broadcast %1 along []    : tensor<f32> -> tensor<4xf32>   loc("gradient"(net.py:4))
    %3 = hl.mul %h, %h               : tensor<4xf32>                  loc("gradient"(net.py:3))
    %4 = hl.sub %ones, %3            : ...
    %g = hl.mul %2, %4               : ...

Gradients are taken in program order, so that the derivative of a derivative finds ops where the inner one stood.
Afterwards `hl.variable` and `hl.stop_gradient` have done their work and go. Values that do not influence the loss get
zeros.

What has a body of its own says itself how it is differentiated:

    %y = hl.custom_gradient value(%v) of(%x) with(%c) { body }    its body, given %dy, is the gradient; %y itself is %v
    %y = hl.checkpoint of(%x) { body }                            the body again, behind a barrier, and its gradient
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from ...dialects.hl.builder import IRBuilder
from ..pass_base import FunctionPass
from . import joint, reverse_mode
from .engine import Partition, Wrt
from .reverse_mode import erase_markers


class ReverseMode:
    """The engine, whose parts need one another: the gradient of a scan is made of its partitioned body."""

    def reverse(
        self, builder: IRBuilder, seeds: Mapping[SSAValue, SSAValue], wrt: Sequence[SSAValue]
    ) -> list[SSAValue | None]:
        return reverse_mode.reverse(self, builder, seeds, wrt)

    def partition(self, function: FuncOp, wrt: Sequence[Wrt], outputs: Sequence[int] | None = None) -> Partition:
        return joint.split(self, function, wrt, outputs)


ENGINE = ReverseMode()


@dataclass(frozen=True)
class Differentiate(FunctionPass):
    """Reverse-mode differentiation of every `hl.gradient`."""

    name = "differentiate"

    def apply_to_function(self, function: FuncOp) -> None:
        expand_gradients(function)
        erase_markers(function)


def expand_gradients(function: FuncOp) -> None:
    """Replaces each `hl.gradient` of a function, inner ones first."""
    reverse_mode.expand_gradients(ENGINE, function)


__all__ = ["ENGINE", "Differentiate", "ReverseMode", "erase_markers", "expand_gradients"]
