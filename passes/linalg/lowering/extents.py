"""How far the loops of a linalg.generic run, and operands that only say so.

%e = tensor.empty() : tensor<7xf32>                                     // never read, never stored
%s = linalg.generic {(i) -> (9 - i), (i) -> (i), (i) -> ()} ins(%x, %e : tensor<10xf32>, tensor<7xf32>) outs(%zero)
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from ...loops.build import Emitter


def told_extents(operands: Sequence[tuple[SSAValue, AffineMap]], rank: int) -> list[int]:
    """For each loop the smallest extent that it indexes alone, as in dialects/linalg_rules.py; -1 where none tells."""
    found = [-1] * rank
    for value, map_ in operands:
        assert isinstance(value.type, TensorType)
        for expression, size in zip(map_.results, value.type.get_shape()):
            if isinstance(expression, AffineDimExpr):
                known = found[expression.position]
                found[expression.position] = size if known < 0 else min(size, known)
    return found


def extent_operand(e: Emitter, dimension: int, extent: int, rank: int) -> tuple[SSAValue, AffineMap]:
    """An operand that says that one of `rank` loops runs to `extent`."""
    empty = e.create(tensor.EmptyOp, [], [TensorType(f32, [extent])]).results[0]
    return empty, AffineMap(rank, 0, (AffineDimExpr(dimension),))
