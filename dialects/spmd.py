"""Single program, multiple data: what the loops level says about threads.

Every thread of a team runs the same kernel. What it writes for the team is its own share of the work, or one thread's:

    %low, %high = spmd.share %n {chunk = 16 : i64} : index
    scf.for %i = %low to %high step %c1 { ... }   // a share: each iteration by one thread
    spmd.barrier                                  // everybody's stores above are visible below
    spmd.single { ... }                           // one thread, the first
    spmd.prefetch %panel[%i, %c0] : memref<64x784xf32>

Whatever stands in no share and in no `spmd.single` is run by all threads, each for itself. It may write only what is
private to a thread, its `memref.alloca`s: `verify-spmd` proves that.

The host opens the team once per step:

    spmd.parallel {
      func.call @forward(%x, %w, %h) : (...) -> ()
      spmd.barrier
      func.call @backward(%h, %dw) : (...) -> ()
    }

and leaves it, every thread at the same place, where a check has failed:

    spmd.stop_on_error %1 into %errors : memref<3xi64>, memref<3xi64>

Threads form blocks, and blocks the grid. What waits, shares or stands for all has a scope, the grid unless it says
otherwise; memory has a space, which says who sees it:

    spmd.barrier                                          the whole grid waits
    spmd.barrier {scope = #spmd<scope block>}             the threads of each block wait for one another
    spmd.single {…} attributes {scope = …}         one thread of each block does what is in there

    %x: memref<…>, memref.alloc()                         global: the grid
    memref.alloc() {spmd.space = #spmd<space team>}       team: the threads of a block, each block its own
    memref.alloca()                                       private: the thread

One thread of the grid, or a share of it, writes global memory; one of a block, or a share of that, team memory:
`verify-spmd` refuses all else. On a CPU the team is one block and the whole grid: its passes make grid scopes, and both
barriers print alike. On a GPU a grid barrier is where one launch ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import BoolAttr, IndexType, IntegerAttr, MemRefType, TensorType, i1, i64
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import Attribute, Block, Dialect, Operation, Region, SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, NoTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

__all__ = [
    "FIRST",
    "SPACE",
    "SPMD",
    "BarrierOp",
    "ParallelOp",
    "PrefetchOp",
    "Scope",
    "ScopeAttr",
    "ShareOp",
    "SingleOp",
    "Space",
    "SpaceAttr",
    "StopOnErrorOp",
    "ThreadCountOp",
    "ThreadIdOp",
    "scope_of",
]


class Scope(StrEnum):
    """Which threads belong together."""

    BLOCK = "block"
    GRID = "grid"


class Space(StrEnum):
    """Who sees a buffer: the grid, a block, a thread."""

    GLOBAL = "global"
    TEAM = "team"
    PRIVATE = "private"


@irdl_attr_definition
class ScopeAttr(EnumAttribute[Scope], SpacedOpaqueSyntaxAttribute):
    """`#spmd<scope block>`"""

    name = "spmd.scope"


@irdl_attr_definition
class SpaceAttr(EnumAttribute[Space], SpacedOpaqueSyntaxAttribute):
    """`#spmd<space team>`"""

    name = "spmd.space"


GRID = ScopeAttr(Scope.GRID)

SPACE = "spmd.space"
"""The attribute of an allocation that is not in the space that its kind is in by default."""


@irdl_op_definition
class ThreadIdOp(IRDLOperation):
    """This thread's number in its team, from 0."""

    name = "spmd.thread_id"
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


@irdl_op_definition
class ThreadCountOp(IRDLOperation):
    """How many threads the team has, at least 1."""

    name = "spmd.thread_count"
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


@irdl_op_definition
class ShareOp(IRDLOperation):
    """This thread's part of the iterations 0 to `extent`: from `low` to before `high`.

    The parts of the threads of the scope follow each other and cover all. Each begins at a multiple of `chunk`, so that
    vectors of so many iterations are the same for any number of threads.
    """

    name = "spmd.share"
    extent = operand_def(IndexType())
    chunk = prop_def(IntegerAttr, default_value=IntegerAttr(1, i64))
    scope = opt_prop_def(ScopeAttr, default_value=GRID)
    low = result_def(IndexType())
    high = result_def(IndexType())
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$extent attr-dict `:` type($extent)"

    def __init__(self, extent: SSAValue | Operation, chunk: int = 1) -> None:
        super().__init__(
            operands=[extent],
            result_types=[IndexType(), IndexType()],
            properties={"chunk": IntegerAttr(chunk, i64)},
        )
        self.low.name_hint, self.high.name_hint = "low", "high"

    def verify_(self) -> None:
        if self.chunk.value.data < 1:
            raise VerifyException(f"expected a chunk of at least 1, given {self.chunk.value.data}")


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """Waits for all threads of the scope; their stores before it are seen by their loads after it."""

    name = "spmd.barrier"
    scope = opt_prop_def(ScopeAttr, default_value=GRID)
    # Both effects, so that nothing moves across and nobody deletes it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """A hint that the cache line at these indices is wanted soon (`write`: to be written).

    Indices may be out of range.
    """

    name = "spmd.prefetch"
    memref = operand_def(MemRefType)
    indices = var_operand_def(IndexType())
    write = opt_prop_def(BoolAttr, default_value=BoolAttr(False, i1))
    # A hint has no result: without an effect DCE would drop it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$memref `[` $indices `]` attr-dict `:` type($memref)"

    def __init__(
        self, memref: SSAValue | Operation, indices: Sequence[SSAValue | Operation], write: bool = False
    ) -> None:
        super().__init__(operands=[memref, indices], properties={"write": BoolAttr(write, i1)} if write else {})

    def verify_(self) -> None:
        type_ = cast("MemRefType[Attribute]", self.memref.type)
        rank = type_.get_num_dims()
        if len(self.indices) != rank:
            raise VerifyException(f"expected {rank} indices for {type_}, given {len(self.indices)}")


class _RegionOp(IRDLOperation):
    """An op that is one block of others."""

    body = region_def("single_block")
    scope = opt_prop_def(ScopeAttr, default_value=GRID)
    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def __init__(self, body: Region | Sequence[Block] | Sequence[Operation]) -> None:
        super().__init__(regions=[body])

    def verify_(self) -> None:
        if self.body.block.args:
            raise VerifyException(f"expected a body without arguments, given {len(self.body.block.args)}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)
        scope = {} if self.scope in (None, GRID) else {"scope": self.scope}
        printer.print_op_attributes({**scope, **self.attributes}, reserved_attr_names=(), print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        body = parser.parse_region()
        if not body.blocks:
            body.add_block(Block())
        attributes = parser.parse_optional_attr_dict_with_keyword()
        op = cls(body)
        if attributes is not None:
            op.attributes |= attributes.data
            if isinstance(op.attributes.get("scope"), ScopeAttr):
                op.properties["scope"] = op.attributes.pop("scope")
        return op


@irdl_op_definition
class ParallelOp(_RegionOp):
    """Runs its body on every thread of a team: a grid, or one block alone."""

    name = "spmd.parallel"


@irdl_op_definition
class SingleOp(_RegionOp):
    """Runs its body on the first thread of the scope alone. The others go on: nobody waits."""

    name = "spmd.single"


FIRST = "first"
"""The attribute of a `spmd.stop_on_error` with nothing but checks in front of it."""


@irdl_op_definition
class StopOnErrorOp(IRDLOperation):
    """Ends the host function where a record of errors (dialects/hl/check.py) names a failed check.

    The record is then in `errors`, the argument that the caller looks at; what the rest of the function would have
    written is as it was.
    """

    name = "spmd.stop_on_error"
    record = operand_def(TensorType[Attribute] | MemRefType)
    errors = operand_def(TensorType[Attribute] | MemRefType)
    # Both effects, so that nothing moves across and nobody deletes it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$record `into` $errors attr-dict `:` type($record) `,` type($errors)"

    def __init__(self, record: SSAValue | Operation, errors: SSAValue | Operation) -> None:
        super().__init__(operands=[record, errors])

    def verify_(self) -> None:
        for value in (self.record, self.errors):
            type_ = cast("MemRefType[Attribute]", value.type)
            if type_.get_element_type() != i64 or type_.get_shape() != (3,):
                raise VerifyException(f"expected a record of errors, 3 elements of i64, given {type_}")


def scope_of(op: BarrierOp | ParallelOp | ShareOp | SingleOp) -> Scope:
    """Whose threads an op speaks of."""
    return (op.scope or GRID).data


SPMD = Dialect(
    "spmd",
    [BarrierOp, ParallelOp, PrefetchOp, ShareOp, SingleOp, StopOnErrorOp, ThreadCountOp, ThreadIdOp],
    [ScopeAttr, SpaceAttr],
)
