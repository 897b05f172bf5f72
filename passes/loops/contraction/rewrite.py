"""Finds the contractions of a kernel, with what may be done to their tiles, and lets a target replace them."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import func
from xdsl.dialects.linalg.ops import FillOp, GenericOp
from xdsl.ir import Operation

from ....dialects.locations import fuse
from ...utils.nest_emitter import NestEmitter
from .classify import Bodies, Contraction, NotTaken, classify, is_zero
from .epilogue import Epilogue, buffers_of, collect

Emit = Callable[[NestEmitter, Contraction, Epilogue], None]
"""Writes the loops of a contraction and its epilogue."""
Wanted = Callable[[Contraction], bool]
"""Whether a target takes a contraction; else it is lowered as other loops are."""


def rewrite_contractions(kernel: func.FuncOp, bodies: Bodies, emit: Emit, wanted: Wanted = lambda _: True) -> None:
    """Replaces every contraction of a kernel that the engine takes."""
    op = kernel.body.block.first_op
    while op is not None:
        following = op.next_op
        if isinstance(op, GenericOp):
            try:
                contraction = classify(op, find_fill(op), bodies)
                if bodies.expand(kernel, (*contraction.left.ops, *contraction.right.ops)):
                    contraction = classify(op, contraction.fill, bodies)
            except NotTaken:
                pass
            else:
                if wanted(contraction):
                    following = _replace(kernel, contraction, bodies, emit)
        op = following


def find_fill(op: GenericOp) -> FillOp | None:
    """The fill with zero that an operation starts from, if nothing touches the buffer in between."""
    buffer = op.outputs[-1]
    before = op.prev_op
    while before is not None:
        if buffer in buffers_of(before):
            if isinstance(before, FillOp) and before.outputs[0] is buffer and is_zero(before.inputs[0]):
                return before
            return None
        before = before.prev_op
    return None


def _replace(kernel: func.FuncOp, contraction: Contraction, bodies: Bodies, emit: Emit) -> Operation | None:
    """Replaces a contraction and its epilogue; returns the operation that follows."""
    epilogue = collect(kernel, contraction, bodies)
    block = contraction.op.parent
    assert block is not None
    for op in epilogue.moved:
        op.detach()
        block.insert_op_before(op, contraction.op)
    stages = [stage.op for stage in epilogue.stages]
    location = fuse([contraction.op.location, *(op.location for op in stages)])
    emit(NestEmitter(contraction.op, location), contraction, epilogue)
    following = contraction.op.next_op
    while following is not None and following in stages:
        following = following.next_op
    for op in (*reversed(stages), contraction.op, *([contraction.fill] if contraction.fill else [])):
        op.detach()
        op.erase()
    for buffer in epilogue.local:
        allocation = buffer.owner
        assert isinstance(allocation, Operation)
        allocation.detach()
        allocation.erase()
    return following
