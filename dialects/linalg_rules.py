"""One rule of linalg, relaxed: an operand may be larger than what the loops reach of it.

    %y = linalg.generic {(i) -> (i), (i) -> (i)} ins(%x : tensor<8xf32>) outs(%e : tensor<4xf32>)     // y = x[:4]

Slices, concatenations and padding are then indexing maps like all others, also where they start at 0. A loop runs to
the smallest extent that it indexes alone. Upstream accepts a larger operand under any other map, `(i) -> (i + 1)` say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from xdsl.dialects.builtin import ShapedType
from xdsl.dialects.linalg.ops import GenericOp
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.utils.exceptions import VerifyException

UPSTREAM_RULES = ("inferred input/output operand", "unexpected result less than 0")
"""How upstream begins where a loop reaches out of an operand, if it runs as far as the first operand tells."""


def told_extents(operands: Iterable[tuple[SSAValue, AffineMap]], rank: int) -> list[int]:
    """For each of `rank` loops the smallest extent that it indexes alone; -1 where no operand tells."""
    extents: dict[int, int] = {}
    for operand, map_ in operands:
        if isinstance(operand.type, ShapedType):
            for expression, size in zip(map_.results, operand.type.get_shape()):
                if isinstance(expression, AffineDimExpr):
                    extents[expression.position] = min(size, extents.get(expression.position, size))
    return [extents.get(k, -1) for k in range(rank)]


def loop_extents(op: GenericOp) -> list[int]:
    """How far each loop of an op runs; -1 where no operand tells."""
    maps = (attribute.data for attribute in op.get_indexing_maps())
    return told_extents(zip(op.operands, maps), len(op.get_iterator_types()))


def check_reach(op: GenericOp) -> None:
    """Raises VerifyException where a loop reaches out of an operand."""
    extents = loop_extents(op)
    if 0 in extents or any(n < 0 for n in extents):
        return
    first, last = [0] * len(extents), [n - 1 for n in extents]
    for number, (operand, attribute) in enumerate(zip(op.operands, op.get_indexing_maps())):
        if not isinstance(operand.type, ShapedType):
            continue
        for size, start, end in zip(
            operand.type.get_shape(), attribute.data.eval(first, []), attribute.data.eval(last, [])
        ):
            if size >= 0 and (min(start, end) < 0 or max(start, end) >= size):
                raise VerifyException(
                    f"the loops reach index {min(start, end) if min(start, end) < 0 else max(start, end)} of operand "
                    f"#{number}, {operand.type}, under {attribute.data}"
                )


@cache
def relax() -> None:
    """Replaces the upstream rule, once per process."""
    upstream: Callable[[GenericOp], None] = GenericOp.verify_

    def verify_(self: GenericOp) -> None:
        try:
            upstream(self)
        except VerifyException as error:
            if not str(error).startswith(UPSTREAM_RULES):
                raise
            check_reach(self)

    GenericOp.verify_ = verify_
