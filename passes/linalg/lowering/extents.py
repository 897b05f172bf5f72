"""Operands that only say how far a loop of a linalg.generic runs.

%e = tensor.empty() : tensor<7xf32>                                     // never read, never stored
%s = linalg.generic {(i) -> (9 - i), (i) -> (i), (i) -> ()} ins(%x, %e : tensor<10xf32>, tensor<7xf32>) outs(%zero)
"""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from ...utils.emitter import Emitter


def extent_operand(e: Emitter, dimension: int, extent: int, rank: int) -> tuple[SSAValue, AffineMap]:
    """An operand that says that one of `rank` loops runs to `extent`."""
    empty = e.create(tensor.EmptyOp, [], [TensorType(f32, [extent])]).results[0]
    return empty, AffineMap(rank, 0, (AffineDimExpr(dimension),))
