"""What each elementwise hl op does to one element: the body of its linalg.generic.

A rule takes an emitter, the hl element type of the first operand, and scalars; bool is i1, u8 is i8 read as unsigned.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith, math, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, i1, i32, i64
from xdsl.ir import SSAValue
from xdsl.irdl import IRDLOperation

from ....dialects.hl import elementwise as hl
from ....dialects.hl.base import HLOp
from ....dialects.types import DType
from ...utils.emitter import Emitter

Rule = Callable[..., SSAValue]

FLOAT_PREDICATE = {"eq": 1, "gt": 2, "ge": 3, "lt": 4, "le": 5, "ne": 13, "uno": 14}
SIGNED_PREDICATE = {"eq": 0, "ne": 1, "lt": 2, "le": 3, "gt": 4, "ge": 5}
UNSIGNED_PREDICATE = {"eq": 0, "ne": 1, "lt": 6, "le": 7, "gt": 8, "ge": 9}


def compare(e: Emitter, dtype: DType, predicate: str, x: SSAValue, y: SSAValue) -> SSAValue:
    """x <predicate> y for elements of an hl type; floats compare false with NaN, but for `ne`."""
    if dtype.kind == "float":
        code = IntegerAttr(FLOAT_PREDICATE[predicate], 64)
        return e.op(arith.CmpfOp, x, y, type=i1, predicate=code)
    table = SIGNED_PREDICATE if dtype.signed and dtype.kind == "int" else UNSIGNED_PREDICATE
    return e.op(arith.CmpiOp, x, y, type=i1, predicate=IntegerAttr(table[predicate], 64))


def constant(e: Emitter, like: SSAValue, value: float) -> SSAValue:
    """A scalar constant of the type of `like`."""
    return e.constants.scalar(like.type, value)


def choose(e: Emitter, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
    return e.op(arith.SelectOp, condition, x, y, type=x.type)


def _one_op(op: type[IRDLOperation]) -> Rule:
    """One upstream op, whatever the elements are."""

    def rule(e: Emitter, _: DType, *xs: SSAValue) -> SSAValue:
        return e.op(op, *xs)

    return rule


def _by_kind(
    floats: type[IRDLOperation],
    ints: type[IRDLOperation],
    unsigned: type[IRDLOperation] | None = None,
    bools: type[IRDLOperation] | None = None,
) -> Rule:
    """One upstream op for each kind of element."""

    def rule(e: Emitter, dtype: DType, *xs: SSAValue) -> SSAValue:
        if dtype.kind == "float":
            return e.op(floats, *xs)
        if dtype.kind == "bool" and bools is not None:
            return e.op(bools, *xs)
        return e.op(unsigned if unsigned is not None and not dtype.signed else ints, *xs)

    return rule


def neg(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    return e.op(arith.NegfOp, x) if dtype.kind == "float" else e.op(arith.SubiOp, constant(e, x, 0), x)


def absolute(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    if dtype.kind == "float":
        return e.op(math.AbsFOp, x)
    if not dtype.signed:
        return x
    return choose(e, compare(e, dtype, "lt", x, constant(e, x, 0)), neg(e, dtype, x), x)


def sign(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    zero, one = constant(e, x, 0), constant(e, x, 1)
    if not dtype.signed:
        return choose(e, compare(e, dtype, "ne", x, zero), one, zero)
    below = choose(e, compare(e, dtype, "lt", x, zero), constant(e, x, -1), zero)
    return choose(e, compare(e, dtype, "gt", x, zero), one, below)


def relu(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    """0 where x < 0, so that NaN stays."""
    zero = constant(e, x, 0)
    return choose(e, compare(e, dtype, "lt", x, zero), zero, x)


def sigmoid(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    """1 / (1 + exp(-x)); exp may overflow to infinity, which gives the 0 it should."""
    one = constant(e, x, 1)
    return e.op(arith.DivfOp, one, e.op(arith.AddfOp, one, e.op(math.ExpOp, e.op(arith.NegfOp, x))))


def logical_not(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    return e.op(arith.XOrIOp, x, constant(e, x, 1))


def is_nan(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    return compare(e, dtype, "uno", x, x)


def _safe_divisor(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(whether x / y is not defined by the machine, a divisor that is): y is 0, or the quotient overflows."""
    undefined = compare(e, dtype, "eq", y, constant(e, y, 0))
    if dtype.signed:
        overflows = e.op(
            arith.AndIOp,
            compare(e, dtype, "eq", y, constant(e, y, -1)),
            compare(e, dtype, "eq", x, constant(e, x, -(2 ** (dtype.bits - 1)))),
        )
        undefined = e.op(arith.OrIOp, undefined, overflows)
    return undefined, choose(e, undefined, constant(e, y, 1), y)


def _or_zero_divisor(e: Emitter, dtype: DType, y: SSAValue, value: SSAValue) -> SSAValue:
    return choose(e, compare(e, dtype, "eq", y, constant(e, y, 0)), constant(e, y, 0), value)


def div(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
    """Integers: toward zero; x / 0 is 0; the one overflow, MIN / -1, wraps to MIN, which is MIN / 1."""
    if dtype.kind == "float":
        return e.op(arith.DivfOp, x, y)
    _, divisor = _safe_divisor(e, dtype, x, y)
    quotient = e.op(arith.DivSIOp if dtype.signed else arith.DivUIOp, x, divisor)
    return _or_zero_divisor(e, dtype, y, quotient)


def floor_div(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
    """Floats: as Python divides, (x - x mod y) / y rounded to the integer it is near; x / 0 as the machine divides."""
    if dtype.kind != "float":
        if not dtype.signed:
            return div(e, dtype, x, y)
        _, divisor = _safe_divisor(e, dtype, x, y)
        quotient = e.op(arith.DivSIOp, x, divisor)
        rest = e.op(arith.SubiOp, x, e.op(arith.MuliOp, quotient, divisor))
        down = e.op(arith.AddiOp, quotient, constant(e, x, -1))
        return _or_zero_divisor(e, dtype, y, choose(e, _signs_differ(e, dtype, rest, divisor), down, quotient))
    rest = fmod(e, dtype, x, y)
    quotient = e.op(arith.DivfOp, e.op(arith.SubfOp, x, rest), y)
    down = e.op(arith.SubfOp, quotient, constant(e, x, 1))
    nearest = e.op(math.RoundEvenOp, choose(e, _signs_differ(e, dtype, rest, y), down, quotient))
    plain = e.op(arith.DivfOp, x, y)
    signed = choose(
        e, compare(e, dtype, "eq", nearest, constant(e, x, 0)), e.op(math.CopySignOp, nearest, plain), nearest
    )
    return choose(e, compare(e, dtype, "eq", y, constant(e, y, 0)), plain, signed)


def fmod(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
    """x - y * trunc(x / y), exactly: what a correctly rounded quotient leaves is a float. Integers: the sign is x's."""
    if dtype.kind != "float":
        _, divisor = _safe_divisor(e, dtype, x, y)
        return _or_zero_divisor(e, dtype, y, e.op(arith.RemSIOp if dtype.signed else arith.RemUIOp, x, divisor))
    from ....dialects.types import f32, f64

    dividend, divisor = (e.op(math.AbsFOp, cast(e, dtype, v, f64)) for v in (x, y))
    rest = _reduced_once(e, dividend, divisor, 6) if dtype is f32 else _reduced(e, dividend, divisor)
    over = compare(e, f64, "lt", rest, constant(e, rest, 0))  # the last quotient was rounded up
    rest = choose(e, over, e.op(arith.AddfOp, rest, divisor), rest)
    rest = choose(e, compare(e, f64, "lt", dividend, divisor), dividend, rest)
    return e.op(math.CopySignOp, cast(e, f64, rest, dtype), x)


def _reduced_once(e: Emitter, rest: SSAValue, divisor: SSAValue, rounds: int) -> SSAValue:
    """What the divisor leaves, or that less the divisor; a round takes 52 bits off the quotient, which has no more than
    277 for floats of 32 bits."""
    for _ in range(rounds):
        quotient = e.op(math.TruncOp, e.op(arith.DivfOp, rest, divisor))
        rest = e.op(math.FmaOp, e.op(arith.NegfOp, quotient), divisor, rest)
    return rest


def _reduced(e: Emitter, dividend: SSAValue, divisor: SSAValue) -> SSAValue:
    """The same for quotients of up to 2098 bits: by divisor * 2**(52 k) for falling k, while exponents are apart."""
    difference = e.op(arith.SubiOp, *(_exponent(e, v) for v in (dividend, divisor)))
    steps = e.op(
        arith.DivSIOp, e.op(arith.MaxSIOp, difference, constant(e, difference, 0)), constant(e, difference, 52)
    )
    count = e.op(arith.IndexCastOp, steps, type=IndexType())
    grow = e.loop(e.index(0), count, e.index(1), [divisor])
    inner = e.inside(grow.body.block)
    inner.yield_([inner.op(arith.MulfOp, grow.body.block.args[1], constant(inner, divisor, 2.0**52))])
    # Two rounds, since the exponent of a denormal divisor is that of its zeros.
    rest = _reduced_once(e, dividend, grow.results[0], 2)
    shrink = e.loop(e.index(0), count, e.index(1), [rest, grow.results[0]])
    inner = e.inside(shrink.body.block)
    _, rest, scaled = shrink.body.block.args
    scaled = inner.op(arith.MulfOp, scaled, constant(inner, divisor, 2.0**-52))
    inner.yield_([_reduced_once(inner, rest, scaled, 1), scaled])
    return shrink.results[0]


def _exponent(e: Emitter, x: SSAValue) -> SSAValue:
    """The exponent of a positive float of 64 bits, as it is stored."""
    return e.op(arith.ShRUIOp, e.op(arith.BitcastOp, x, type=i64), e.constants.scalar(i64, 52))


def remainder(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
    if dtype.kind != "float":
        _, divisor = _safe_divisor(e, dtype, x, y)
        rest = e.op(arith.RemSIOp if dtype.signed else arith.RemUIOp, x, divisor)
        if dtype.signed:
            rest = choose(e, _signs_differ(e, dtype, rest, divisor), e.op(arith.AddiOp, rest, divisor), rest)
        return _or_zero_divisor(e, dtype, y, rest)
    rest = fmod(e, dtype, x, y)
    shifted = choose(e, _signs_differ(e, dtype, rest, y), e.op(arith.AddfOp, rest, y), rest)
    return choose(e, compare(e, dtype, "eq", shifted, constant(e, x, 0)), e.op(math.CopySignOp, shifted, y), shifted)


def _signs_differ(e: Emitter, dtype: DType, rest: SSAValue, y: SSAValue) -> SSAValue:
    """Whether a remainder is not 0 and lies on the other side of 0 than the divisor."""
    zero = constant(e, y, 0)
    differ = e.op(arith.XOrIOp, compare(e, dtype, "lt", rest, zero), compare(e, dtype, "lt", y, zero))
    return e.op(arith.AndIOp, differ, compare(e, dtype, "ne", rest, zero))


def power(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
    """Integers by squaring, modulo 2**bits; a negative exponent leaves what 1/x**n truncates to."""
    if dtype.kind == "float":
        return e.op(math.PowFOp, x, y)
    one = constant(e, x, 1)
    of_negative: tuple[SSAValue, SSAValue] | None = None
    if dtype.signed:
        negative = compare(e, dtype, "lt", y, constant(e, y, 0))
        odd = compare(e, dtype, "ne", e.op(arith.AndIOp, y, one), constant(e, y, 0))
        minus_one = compare(e, dtype, "eq", x, constant(e, x, -1))
        truncated = choose(e, compare(e, dtype, "eq", x, one), one, constant(e, x, 0))
        of_negative = negative, choose(e, minus_one, choose(e, odd, constant(e, x, -1), one), truncated)
    loop = e.loop(e.index(0), e.index(dtype.bits), e.index(1), [one, x, y])
    inner = e.inside(loop.body.block)
    _, result, base, exponent = loop.body.block.args
    bit = compare(inner, dtype, "ne", inner.op(arith.AndIOp, exponent, one), constant(inner, x, 0))
    inner.yield_(
        [
            choose(inner, bit, inner.op(arith.MuliOp, result, base), result),
            inner.op(arith.MuliOp, base, base),
            inner.op(arith.ShRUIOp, exponent, one),
        ]
    )
    assert isinstance(loop, scf.ForOp)
    return loop.results[0] if of_negative is None else choose(e, *of_negative, loop.results[0])


def _shift(op: type[IRDLOperation]) -> Rule:
    def rule(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue) -> SSAValue:
        bits = constant(e, y, dtype.bits)
        inside = e.op(arith.CmpiOp, y, bits, type=i1, predicate=IntegerAttr(UNSIGNED_PREDICATE["lt"], 64))
        zero = constant(e, y, 0)
        return choose(e, inside, e.op(op, x, choose(e, inside, y, zero)), zero)

    return rule


def cast(e: Emitter, source: DType, x: SSAValue, target: DType) -> SSAValue:
    """The value as another element type: floats truncate to integers, anything but 0 is true."""
    if source is target:
        return x
    if target.kind == "bool":
        return compare(e, source, "ne", x, constant(e, x, 0))
    if source.kind == "bool":
        one, zero = (e.constants.scalar(target.lowered, v) for v in (1, 0))
        return choose(e, x, one, zero)
    if source.kind == "float" and target.kind == "float":
        return e.op(arith.ExtFOp if target.bits > source.bits else arith.TruncFOp, x, type=target.lowered)
    if source.kind == "float":
        if target.signed:
            return e.op(arith.FPToSIOp, x, type=target.lowered)
        return e.op(arith.TruncIOp, e.op(arith.FPToSIOp, x, type=i64), type=target.lowered)
    if target.kind == "float":
        return e.op(arith.SIToFPOp if source.signed else arith.UIToFPOp, x, type=target.lowered)
    if target.bits < source.bits:
        return e.op(arith.TruncIOp, x, type=target.lowered)
    return e.op(arith.ExtSIOp if source.signed else arith.ExtUIOp, x, type=target.lowered)


def to_index(e: Emitter, value: SSAValue, extent: int) -> SSAValue:
    """An integer as an index into `extent` elements, clamped to what there is."""
    zero, last = constant(e, value, 0), constant(e, value, max(extent - 1, 0))
    clamped = e.op(arith.MinSIOp, e.op(arith.MaxSIOp, value, zero), last)
    return e.op(arith.IndexCastOp, clamped, type=IndexType())


def _copy(e: Emitter, dtype: DType, x: SSAValue) -> SSAValue:
    return x


def _compare(e: Emitter, dtype: DType, x: SSAValue, y: SSAValue, predicate: str) -> SSAValue:
    return compare(e, dtype, predicate, x, y)


def _select(e: Emitter, dtype: DType, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
    return choose(e, condition, x, y)


def _cast(e: Emitter, dtype: DType, x: SSAValue, dtype_to: DType) -> SSAValue:
    return cast(e, dtype, x, dtype_to)


SCALAR: dict[type[HLOp], Rule] = {
    hl.NegOp: neg,
    hl.AbsOp: absolute,
    hl.SignOp: sign,
    hl.ExpOp: _one_op(math.ExpOp),
    hl.Expm1Op: _one_op(math.ExpM1Op),
    hl.LogOp: _one_op(math.LogOp),
    hl.Log1POp: _one_op(math.Log1pOp),
    hl.SqrtOp: _one_op(math.SqrtOp),
    hl.RsqrtOp: _one_op(math.RsqrtOp),
    hl.SinOp: _one_op(math.SinOp),
    hl.CosOp: _one_op(math.CosOp),
    hl.TanOp: _one_op(math.TanOp),
    hl.AsinOp: _one_op(math.AsinOp),
    hl.AcosOp: _one_op(math.AcosOp),
    hl.AtanOp: _one_op(math.AtanOp),
    hl.SinhOp: _one_op(math.SinhOp),
    hl.CoshOp: _one_op(math.CoshOp),
    hl.TanhOp: _one_op(math.TanhOp),
    hl.SigmoidOp: sigmoid,
    hl.ErfOp: _one_op(math.ErfOp),
    hl.FloorOp: _one_op(math.FloorOp),
    hl.CeilOp: _one_op(math.CeilOp),
    hl.RoundOp: _one_op(math.RoundEvenOp),
    hl.TruncOp: _one_op(math.TruncOp),
    hl.ReluOp: relu,
    hl.CopyOp: _copy,
    hl.LogicalNotOp: logical_not,
    hl.IsNanOp: is_nan,
    hl.AddOp: _by_kind(arith.AddfOp, arith.AddiOp),
    hl.SubOp: _by_kind(arith.SubfOp, arith.SubiOp),
    hl.MulOp: _by_kind(arith.MulfOp, arith.MuliOp),
    hl.DivOp: div,
    hl.FloorDivOp: floor_div,
    hl.FmodOp: fmod,
    hl.RemainderOp: remainder,
    hl.PowOp: power,
    hl.MaximumOp: _by_kind(arith.MaximumfOp, arith.MaxSIOp, arith.MaxUIOp, arith.OrIOp),
    hl.MinimumOp: _by_kind(arith.MinimumfOp, arith.MinSIOp, arith.MinUIOp, arith.AndIOp),
    hl.Atan2Op: _one_op(math.Atan2Op),
    hl.BitwiseAndOp: _one_op(arith.AndIOp),
    hl.BitwiseOrOp: _one_op(arith.OrIOp),
    hl.BitwiseXorOp: _one_op(arith.XOrIOp),
    hl.ShiftLeftOp: _shift(arith.ShLIOp),
    hl.ShiftRightLogicalOp: _shift(arith.ShRUIOp),
    hl.CompareOp: _compare,
    hl.SelectOp: _select,
    hl.CastOp: _cast,
}
"""Op class -> rule. Attributes follow the operands in the call."""


def philox(e: Emitter, state: tuple[SSAValue, SSAValue], element: SSAValue) -> SSAValue:
    """The random bits of an element, by Philox4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC
    2011): word i mod 4 of block i div 4, so that who computes four neighbours needs one block.

    key = the halves of state[0]; counter = the halves of the block's number, then the halves of state[1].
    """
    c = e.constants

    def low(x: SSAValue) -> SSAValue:
        return e.op(arith.TruncIOp, x, type=i32)

    def high(x: SSAValue) -> SSAValue:
        return e.op(arith.TruncIOp, e.op(arith.ShRUIOp, x, c.scalar(i64, 32)), type=i32)

    def product(a: SSAValue, multiplier: int) -> tuple[SSAValue, SSAValue]:
        wide = e.op(arith.MuliOp, e.op(arith.ExtUIOp, a, type=i64), c.scalar(i64, multiplier))
        return high(wide), low(wide)

    def signed(word: int) -> int:
        return word - (1 << 32) if word >> 31 else word

    k0, k1 = low(state[0]), high(state[0])
    block = e.op(arith.ShRUIOp, element, c.scalar(i64, 2))
    c0, c1, c2, c3 = low(block), high(block), low(state[1]), high(state[1])
    for _ in range(10):
        h0, l0 = product(c0, 0xD2511F53)
        h1, l1 = product(c2, 0xCD9E8D57)
        c0, c1, c2, c3 = (
            e.op(arith.XOrIOp, e.op(arith.XOrIOp, h1, c1), k0),
            l1,
            e.op(arith.XOrIOp, e.op(arith.XOrIOp, h0, c3), k1),
            l0,
        )
        k0 = e.op(arith.AddiOp, k0, c.scalar(i32, signed(0x9E3779B9)))
        k1 = e.op(arith.AddiOp, k1, c.scalar(i32, signed(0xBB67AE85)))
    word = low(element)

    def bit(k: int) -> SSAValue:
        found = e.op(arith.AndIOp, word, c.scalar(i32, 1 << k))
        return e.op(arith.CmpiOp, found, c.scalar(i32, 0), type=i1, predicate=IntegerAttr(UNSIGNED_PREDICATE["ne"], 64))

    odd, second = bit(0), bit(1)
    first_two = e.op(arith.SelectOp, odd, c1, c0, type=i32)
    last_two = e.op(arith.SelectOp, odd, c3, c2, type=i32)
    return e.op(arith.SelectOp, second, last_two, first_two, type=i32)


__all__ = ["SCALAR", "cast", "compare", "constant", "philox", "to_index"]
