"""What only vectors have: spreading, lanes, masks, reductions."""

from __future__ import annotations

from xdsl.dialects import vector
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Operation

from ..dialects.types import element_of, is_vector
from .expr import CExpr, binary, call
from .printer import Printer, Rule
from .types import CodegenError, c_type, is_mask, scalar_type

REDUCTIONS = {
    "add": ("sum", "+"), "mul": ("product", "*"), "and": ("all_of", "&"), "or": ("any_of", "|"), "xor": ("odd_of", "^"),
    "maxsi": ("largest", "max"), "minsi": ("smallest", "min"),
    "maximumf": ("largest", "max"), "minimumf": ("smallest", "min"),
    "maxnumf": ("largest_num", "maxnum"), "minnumf": ("smallest_num", "minnum"),
    "maxui": ("largest", "max"), "minui": ("smallest", "min"),
}  # fmt: skip
"""By kind: the primitive for a vector, and the operator or function for the accumulator."""


def print_broadcast(p: Printer, op: vector.BroadcastOp) -> None:
    """A scalar for all lanes; C spreads it by itself in `x * v`."""
    if is_vector(op.source.type):
        if op.source.type != op.vector.type:
            raise CodegenError(f"no C for vector.broadcast of {op.source.type} to {op.vector.type}")
        p.define(op.vector, p.use(op.source))
        return
    expr = p.use(op.source)
    if is_mask(op.vector.type):
        spread = f"splat_{c_type(op.vector.type)}(-{expr.within(15)})"
        p.define(op.vector, CExpr(spread, reads=expr.reads))
        return
    p.define(op.vector, CExpr(expr.text, expr.level, expr.reads, splat=True, constant=expr.constant))


def _lane(p: Printer, op: vector.ExtractOp | vector.InsertOp) -> str:
    positions = op.static_position.get_values()
    if len(positions) != 1:
        raise CodegenError(f"no C for {op.name} at {len(positions)} positions: vectors are 1-D")
    return p.use(op.dynamic_position[0]).text if positions[0] == DYNAMIC_INDEX else str(positions[0])


def print_extract(p: Printer, op: vector.ExtractOp) -> None:
    """`v[3]`."""
    source = p.atom(op.vector)
    lane = CExpr(f"{source.text}[{_lane(p, op)}]", reads=source.reads)
    p.define(op.result, binary("!=", lane, CExpr("0", constant=True)) if is_mask(op.result.type) else lane)


def print_insert(p: Printer, op: vector.InsertOp) -> None:
    """`v[3] = x;`, in place where the old vector has no other use."""
    value = p.use(op.source)
    text = f"-{value.within(15)}" if is_mask(op.result.type) else value.text
    lane = _lane(p, op)
    expr = p.use(op.dest)
    in_place = isinstance(op.dest.owner, vector.InsertOp) and op.dest.get_user_of_unique_use() is op
    in_place = in_place and op.dest.owner.parent is op.parent
    if in_place:
        name = expr.text
    else:
        name = p.new_name(op.result, c_type(op.result.type))
        p.line(f"{c_type(op.result.type)} {name} = {p.whole(expr, op.dest.type).text};")
    p.line(f"{name}[{lane}] = {text};")
    p.values[op.result] = CExpr(name)


def print_create_mask(p: Printer, op: vector.CreateMaskOp) -> None:
    """The first n lanes: `first_v16i(n)`."""
    if len(op.mask_dim_sizes) != 1:
        raise CodegenError("no C for vector.create_mask of more than one dimension")
    p.define(op.mask_vector, call(f"first_{c_type(op.mask_vector.type)}", p.use(op.mask_dim_sizes[0])))


def print_reduction(p: Printer, op: vector.ReductionOp) -> None:
    """`sum_v16f(v)`: by halves, in an order that is always the same."""
    type_ = op.vector.type
    kind = op.kind.data.value
    if kind not in REDUCTIONS or (is_mask(type_) and kind not in ("and", "or", "xor")):
        raise CodegenError(f"no C for vector.reduction <{kind}> of {type_}")
    if scalar_type(element_of(type_)) == "u8" and kind in ("maxsi", "minsi"):
        raise CodegenError(f"no C for vector.reduction <{kind}> of {type_}: bytes are unsigned")
    if scalar_type(element_of(type_)) != "u8" and kind in ("maxui", "minui"):
        raise CodegenError(f"no C for vector.reduction <{kind}> of {type_}: only bytes are unsigned")
    name, combine = REDUCTIONS[kind]
    reduced = call(f"{name}_{c_type(type_)}", p.vector(op.vector))
    if is_mask(type_):
        reduced = binary("!=", reduced, CExpr("0", constant=True))
    if op.acc is not None:
        acc = p.use(op.acc)
        if combine.isidentifier():
            scalar = scalar_type(op.dest.type)
            suffix = {"float": "f32", "double": "f64", "int": "i32", "long": "i64"}[scalar]
            reduced = call(f"{combine}_{suffix}", acc, reduced)
        else:
            reduced = binary(combine, acc, reduced)
    p.define(op.dest, reduced)


def print_shuffle(p: Printer, op: vector.ShuffleOp) -> None:
    """Lanes of two vectors in a new order."""
    a, b = p.vector(op.v1), p.vector(op.v2)
    lanes = ", ".join(map(str, op.mask.get_values()))
    p.define(op.result, CExpr(f"__builtin_shufflevector({a.text}, {b.text}, {lanes})", reads=a.reads or b.reads))


VECTOR: dict[type[Operation], Rule] = {
    vector.BroadcastOp: print_broadcast,
    vector.ExtractOp: print_extract,
    vector.InsertOp: print_insert,
    vector.CreateMaskOp: print_create_mask,
    vector.ReductionOp: print_reduction,
    vector.ShuffleOp: print_shuffle,
}
"""How vectors are taken apart and put together, by op."""
