"""The end of a traced function: what no derivative would meet and nobody uses is left out."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.ir import Block, SSAValue

from ...dialects.hl.autodiff import GradientOp, StopGradientOp


def prune(block: Block, outputs: Iterable[SSAValue] = ()) -> None:
    """Removes each `hl.stop_gradient` that no derivative would meet, and what nobody uses. Derivatives are those taken
    inside, and those of `outputs`.

    %0 = hl.stop_gradient %w                %1 = hl.sub %w, %update
    %1 = hl.sub %0, %update           ->
    """
    differentiated = set(outputs)
    for op in reversed(list(block.ops)):
        if isinstance(op, GradientOp):
            differentiated.update(op.operands)
        if op.results and not any(result.first_use for result in op.results):
            op.detach()
            op.erase()
        elif any(result in differentiated for result in op.results):
            differentiated.update(op.operands)
        elif isinstance(op, StopGradientOp):
            op.result.replace_all_uses_with(op.x)
            op.detach()
            op.erase()


__all__ = ["prune"]
