"""Checks of indices in programs that people write on buffers.

    bounds.check %k below 8 "dimension 0 of memref<8xf32>" : index
    memref.store %one, %x[%k] : memref<8xf32>

ends the program with an error that names the check's line unless 0 <= %k < 8. `insert-bounds-checks` puts one in front
of each access that it cannot prove; programs of the pipeline need none.
"""

from __future__ import annotations

from xdsl.dialects.builtin import IndexType, IntegerAttr, LocationAttr, StringAttr, i64
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect

__all__ = ["BOUNDS", "CheckOp"]


@irdl_op_definition
class CheckOp(IRDLOperation):
    """Ends the program unless an index is at least 0 and below a limit."""

    name = "bounds.check"
    index = operand_def(IndexType())
    limit = prop_def(IntegerAttr)
    what = prop_def(StringAttr)
    # Both effects, so that no access moves across and nobody deletes it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$index `below` $limit $what attr-dict `:` type($index)"

    def __init__(self, index: SSAValue | Operation, limit: int, what: str, location: LocationAttr) -> None:
        super().__init__(operands=[index], properties={"limit": IntegerAttr(limit, i64), "what": StringAttr(what)})
        self.location = location


BOUNDS = Dialect("bounds", [CheckOp], [])
