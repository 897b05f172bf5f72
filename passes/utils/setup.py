"""What a kernel does before anything touches memory: constants, buffers, views, and what is computed of these."""

from __future__ import annotations

from xdsl.dialects import arith, memref
from xdsl.ir import Block, Operation
from xdsl.traits import IsTerminator

from ..effects import is_pure
from .constants import Constants

BUFFERS = (
    memref.AllocOp, memref.AllocaOp, memref.CollapseShapeOp, memref.ExpandShapeOp, memref.ReinterpretCastOp,
    memref.ViewOp, memref.CastOp, memref.GetGlobalOp,
)  # fmt: skip


def raise_setup(block: Block, constants: Constants) -> set[Operation]:
    """Moves these operations to the top of a kernel, where all that follows sees them, and returns them."""
    setup: dict[Operation, None] = {}
    for op in block.ops:
        movable = not op.regions and not op.has_trait(IsTerminator) and (isinstance(op, BUFFERS) or is_pure(op))
        if movable and all(not isinstance(v.owner, Operation) or v.owner in setup for v in op.operands):
            setup[op] = None
    for op in setup:
        op.detach()
    first = block.first_op
    assert first is not None
    raised = sorted(setup, key=lambda op: not isinstance(op, arith.ConstantOp))
    for op in raised:
        block.insert_op_before(op, first)
    constants.last = next((op for op in reversed(raised) if isinstance(op, arith.ConstantOp)), None)
    return set(setup)
