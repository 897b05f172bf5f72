"""Operations whose order is free: what reductions combine with, and what each starts from."""

from __future__ import annotations

from math import inf

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerType
from xdsl.ir import Operation

from ...dialects.types import DType

COMBINERS: dict[type[Operation], tuple[str, str]] = {
    arith.AddfOp: ("add", "zero"),
    arith.MulfOp: ("mul", "one"),
    arith.MaximumfOp: ("maximumf", "lowest"),
    arith.MinimumfOp: ("minimumf", "highest"),
    arith.MaxnumfOp: ("maxnumf", "lowest"),
    arith.MinnumfOp: ("minnumf", "highest"),
    math.FmaOp: ("add", "zero"),
    arith.AddiOp: ("add", "zero"),
    arith.MuliOp: ("mul", "one"),
    arith.MaxSIOp: ("maxsi", "lowest"),
    arith.MinSIOp: ("minsi", "highest"),
    arith.MaxUIOp: ("maxui", "zero"),
    arith.MinUIOp: ("minui", "ones"),
    arith.AndIOp: ("and", "ones"),
    arith.OrIOp: ("or", "zero"),
    arith.XOrIOp: ("xor", "zero"),
}
"""Operations that a reduction may combine with: the kind of the final `vector.reduction`, the neutral element."""


def neutral_element(combiner: type[Operation], type_: object) -> int | float | None:
    """What changes nothing when combined with a number of the type; None where there is no such."""
    name = COMBINERS[combiner][1]
    if isinstance(type_, Float32Type | Float64Type):
        return {"zero": 0.0, "one": 1.0, "lowest": float("-inf"), "highest": float("inf")}.get(name)
    if isinstance(type_, IntegerType) and type_.bitwidth > 1:
        bits = type_.bitwidth
        return {
            "zero": 0, "one": 1, "ones": -1, "lowest": -(1 << bits - 1), "highest": (1 << bits - 1) - 1,
        }[name]  # fmt: skip
    return None


def lowest(dtype: DType) -> float:
    """The least element of a type of hl."""
    if dtype.kind == "float":
        return -inf
    return -(2 ** (dtype.bits - 1)) if dtype.signed and dtype.kind == "int" else 0


def highest(dtype: DType) -> float:
    """The greatest element of a type of hl."""
    if dtype.kind == "float":
        return inf
    if dtype.kind == "bool":
        return 1
    return 2 ** (dtype.bits - 1) - 1 if dtype.signed else 255
