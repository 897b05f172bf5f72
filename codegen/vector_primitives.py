"""The vector primitives of generated C: types, moves, masks, reductions, by the vector type they are for.

Vectors are GCC vector extensions, and operations they lack are loops over lanes: gcc and clang turn each of these into
the one or two instructions that a person would pick (blends, roots, fused multiply-add), on any machine; masked moves
have names where neither does it reliably.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ELEMENTS = {
    "f": ("float", 4), "d": ("double", 8), "b": ("unsigned char", 1), "c": ("signed char", 1),
    "t": ("unsigned short", 2), "i": ("int", 4), "u": ("unsigned", 4), "l": ("long", 8), "m": ("unsigned long", 8),
}  # fmt: skip


def _function(result: str, name: str, parameters: str, *body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body)
    return f"static inline {result} {name}({parameters})\n{{\n{lines}}}"


class Vector:
    """A vector type by its C name: `v16f` has 16 lanes of float."""

    def __init__(self, name: str):
        self.name = name
        self.lanes, self.letter = int(name[1:-1]), name[-1]
        self.type, size = ELEMENTS[self.letter]
        self.size = self.lanes * size

    def lanewise(self, name: str, parameters: str, expression: str) -> str:
        """A function whose result is `expression` for each lane i."""
        loop = (each_lane(self), f"    r[i] = {expression};")
        return _function(self.name, name, parameters, f"{self.name} r;", *loop, "return r;")


UNROLLED = """\
#if defined(__clang__)  // it makes vectors of lanes that stand side by side, gcc of those of a loop
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED
#endif"""


def each_lane(v: Vector) -> str:
    """The head of a loop over lanes."""
    return f"UNROLLED for (int i = 0; i < {v.lanes}; i++)"


def _typedef(v: Vector) -> str:
    return f"typedef {v.type} {v.name} __attribute__((vector_size({v.size})));"


def unaligned_typedef(v: Vector) -> str:
    align = f"vector_size({v.size}), aligned({v.size // v.lanes}), may_alias"
    return f"typedef {v.type} {v.name}_u __attribute__(({align}));  // at any address"


def _load(v: Vector) -> str:
    return _function(v.name, f"load_{v.name}", f"const {v.type} *p", f"return *(const {v.name}_u *)p;")


def _store(v: Vector) -> str:
    return _function("void", f"store_{v.name}", f"{v.type} *p, {v.name} x", f"*({v.name}_u *)p = x;")


def _splat(v: Vector) -> str:
    lanes = ", ".join("x" for _ in range(v.lanes))
    return _function(v.name, f"splat_{v.name}", f"{v.type} x", f"return ({v.name}){{{lanes}}};")


def _lanes(v: Vector) -> str:
    """The mask whose first n lanes are on."""
    numbers = ", ".join(str(i) for i in range(v.lanes))
    clamp = f"int k = n < {v.lanes} ? n : {v.lanes};"
    return _function(v.name, f"first_{v.name}", "long n", clamp, f"return ({v.name}){{{numbers}}} < k;")


def _blend(v: Vector, mask: str) -> tuple[str, str]:
    """x where a mask of 64-bit lanes is on, y elsewhere."""
    bits = f"v{v.lanes}l"
    return f"{bits} w = {mask};", f"return ({v.name})((w & ({bits})x) | (~w & ({bits})y));"


def _select(v: Vector) -> str:
    parameters = f"v{v.lanes}i m, {v.name} x, {v.name} y"
    if v.letter in "dl":  # gcc makes poor code of lane loops over more than one register
        return _function(v.name, f"select_{v.name}", parameters, *_blend(v, f"__builtin_convertvector(m, v{v.lanes}l)"))
    return v.lanewise(f"select_{v.name}", parameters, "m[i] ? x[i] : y[i]")


@dataclass(frozen=True)
class MaskedMove:
    """The machine's own masked load and store of a vector type, in C."""

    feature: str
    """The macro of the machines that have them."""
    load: str
    store: str
    names: tuple[str, str]
    """The builtins that the two rest on; clang drops some from version to version."""
    clang: tuple[str, str]
    """Load and store in clang's spelling."""


def _avx512(name: str, through: str, kind: str) -> MaskedMove:
    """Of lanes of this type, seen as those of another that are as wide."""
    v = Vector(through)
    mask = f"__builtin_ia32_ptestmd{32 * v.lanes}(m, m, -1)"
    clang_mask = f"__builtin_ia32_cmpd{32 * v.lanes}_mask(m, (v{v.lanes}i){{0}}, 4, -1)"
    names = f"__builtin_ia32_load{kind}{8 * v.size}_mask", f"__builtin_ia32_store{kind}{8 * v.size}_mask"
    load, store = f"({name}){names[0]}((void *)p, ({through})other, ", f"{names[1]}((void *)p, ({through})x, "
    feature = "__AVX512F__" if v.size == 64 and v.lanes == 16 else "__AVX512VL__"
    return MaskedMove(
        feature, f"{load}{mask})", f"{store}{mask})", names, (f"{load}{clang_mask})", f"{store}{clang_mask})")
    )


def _avx2(type_: str, suffix: str) -> MaskedMove:
    names = f"__builtin_ia32_maskload{suffix}256", f"__builtin_ia32_maskstore{suffix}256"
    load = f"{names[0]}((const {type_} *)p, m)"
    blend = f"({type_})__builtin_ia32_blendvps256((v8f)other, (v8f){load}, (v8f)m)"
    store = f"{names[1]}(({type_} *)p, m, x)"
    return MaskedMove("__AVX2__", blend, store, names, (f"select_{type_}(m, {load}, other)", store))


MASKED_MOVES = {
    "v16f": _avx512("v16f", "v16f", "ups"),
    "v16i": _avx512("v16i", "v16i", "dqusi"),
    "v8d": _avx512("v8d", "v8d", "upd"),
    "v8l": _avx512("v8l", "v8d", "upd"),
    "v4d": _avx512("v4d", "v4d", "upd"),
    "v4l": _avx512("v4l", "v4d", "upd"),
    "v8f": _avx2("v8f", "ps"),
    "v8i": _avx2("v8i", "d"),
}
"""By vector type. From a loop over lanes gcc makes the same instruction where it sees that nothing overlaps; but it
must look, each time, and often does not see. For lanes of 8 bytes gcc 12 stores by halves, and faults where lanes that
are off lie on a page that is not there. clang makes a jump of each lane."""

LARGEST_REGISTER = 64
"""Bytes; longer vectors are moved by halves."""

CLANG_HAS = """\
#if defined(__clang__)
#define CLANG_HAS(builtin) __has_builtin(builtin)
#else
#define CLANG_HAS(builtin) 0
#endif"""


def _with_masked_move(v: Vector, which: int, function: str) -> str:
    """The function, by way of the machine's own masked move where there is one."""
    move = MASKED_MOVES.get(v.name)
    if move is None:
        return function
    head, body = function.split("{\n", 1)
    returned = "    return " if which == 0 else "    "
    return (
        f"{head}{{\n#if defined({move.feature}) && !defined(__clang__)\n{returned}{(move.load, move.store)[which]};\n"
        f"#elif defined({move.feature}) && CLANG_HAS({move.names[which]})\n{returned}{move.clang[which]};\n#else\n"
        f"{body.removesuffix('}')}#endif\n}}"
    )


def _halves(v: Vector) -> tuple[str, str, str]:
    """The type of half a vector, and the lanes of the two."""
    low, high = (", ".join(map(str, range(a, a + v.lanes // 2))) for a in (0, v.lanes // 2))
    return f"v{v.lanes // 2}{v.letter}", low, high


def _masked_load(v: Vector) -> str:
    parameters, name = f"const {v.type} *p, v{v.lanes}i m, {v.name} other", f"masked_load_{v.name}"
    if v.size <= LARGEST_REGISTER:
        return _with_masked_move(v, 0, v.lanewise(name, parameters, "m[i] ? p[i] : other[i]"))
    half, *parts = _halves(v)
    body = [
        f"{half} {x} = masked_load_{half}({p}, {_part('m', part)}, {_part('other', part)});"
        for x, p, part in zip("ab", ("p", f"p + {v.lanes // 2}"), parts)
    ]
    both = f"return __builtin_shufflevector(a, b, {', '.join(map(str, range(v.lanes)))});"
    return _function(v.name, name, parameters, *body, both)


def _masked_store(v: Vector) -> str:
    parameters, name = f"{v.type} *p, v{v.lanes}i m, {v.name} x", f"masked_store_{v.name}"
    if v.size <= LARGEST_REGISTER:
        body = (each_lane(v), "    if (m[i])", "        p[i] = x[i];")
        return _with_masked_move(v, 1, _function("void", name, parameters, *body))
    half, *parts = _halves(v)
    body = [
        f"masked_store_{half}({p}, {_part('m', part)}, {_part('x', part)});"
        for p, part in zip(("p", f"p + {v.lanes // 2}"), parts)
    ]
    return _function("void", name, parameters, *body)


def _part(vector: str, lanes: str) -> str:
    return f"__builtin_shufflevector({vector}, {vector}, {lanes})"


def _interleave(name: str, half: int) -> Callable[[Vector], str]:
    """x0 y0 x1 y1 … of the low or the high halves."""

    def build(v: Vector) -> str:
        start = half * v.lanes // 2
        lanes = ", ".join(f"{start + i}, {v.lanes + start + i}" for i in range(v.lanes // 2))
        body = f"return __builtin_shufflevector(x, y, {lanes});"
        return _function(v.name, f"{name}_{v.name}", f"{v.name} x, {v.name} y", body)

    return build


def _transpose(v: Vector) -> str:
    """Interleaving row i with row i + lanes/2 rotates the bits of (row, lane) by one place; after log2(lanes) rounds
    rows and lanes have changed places. Not inlined: a copy for each use would be most of what there is to compile.
    """
    n, half, name = v.lanes, v.lanes // 2, v.name
    parameters = f"const {v.type} *from, long step, {v.type} *to, long to_step, long rows, long columns"
    masked = f"masked_load_{name}(from + i * step, mask, splat_{name}(0))"
    lines = [
        f"v{n}i mask = first_v{n}i(columns);",
        f"{name} x[{n}], y[{n}];",
        f"#pragma GCC unroll {n}",
        f"for (long i = 0; i < {n}; i++)",
        f"    x[i] = i >= rows ? splat_{name}(0) : columns < {n} ? {masked} : load_{name}(from + i * step);",
    ]
    x, y = "xy"
    for _ in range(n.bit_length() - 1):
        lines += [
            f"#pragma GCC unroll {half}",
            f"for (long i = 0; i < {half}; i++) {{",
            f"    {y}[2 * i] = interleave_low_{name}({x}[i], {x}[i + {half}]);",
            f"    {y}[2 * i + 1] = interleave_high_{name}({x}[i], {x}[i + {half}]);",
            "}",
        ]
        x, y = y, x
    lines += [
        f"#pragma GCC unroll {n}",
        f"for (long i = 0; i < {n}; i++)",
        "    if (i < columns)",
        f"        store_{name}(to + i * to_step, {x}[i]);",
    ]
    text = _function("void", f"transpose_{name}", parameters, *lines)
    return text.replace("static inline", "static __attribute__((noinline))", 1)


def _bool_load(v: Vector) -> str:
    # gcc has no instruction for a step from one byte to four: it would take the lanes apart.
    wide = f"v{v.lanes}t wide = __builtin_convertvector(*(const v{v.lanes}b_u *)p, v{v.lanes}t);"
    convert = f"return -__builtin_convertvector(wide, {v.name});"
    return _function(v.name, f"load_bool_{v.name}", "const bool *p", wide, convert)


def _bool_store(v: Vector) -> str:
    bytes_ = f"v{v.lanes}b"
    convert = f"*({bytes_}_u *)p = __builtin_convertvector(-m, {bytes_});"
    return _function("void", f"store_bool_{v.name}", f"bool *p, {v.name} m", convert)


def _extreme(name: str, condition: str) -> Callable[[Vector], str]:
    def build(v: Vector) -> str:
        if v.size > LARGEST_REGISTER:  # gcc compares such vectors lane by lane
            half, *parts = _halves(v)
            both = ", ".join(f"{name}_{half}({_part('x', p)}, {_part('y', p)})" for p in parts)
            body = (f"return __builtin_shufflevector({both}, {', '.join(map(str, range(v.lanes)))});",)
        elif v.letter in "dl":
            body = _blend(v, condition)
        else:
            mask = condition if v.letter in "if" else f"__builtin_convertvector({condition}, v{v.lanes}i)"
            body = (f"return select_{v.name}({mask}, x, y);",)
        return _function(v.name, f"{name}_{v.name}", f"{v.name} x, {v.name} y", *body)

    return build


def _tree(name: str, combine: str) -> Callable[[Vector], str]:
    """Reduces a vector by halves, so that the order of a sum never depends on the compiler."""

    def build(v: Vector) -> str:
        lines: list[str] = []
        lanes, value = v.lanes, "x"
        if lanes & (lanes - 1):
            raise ValueError(f"no reduction of {lanes} lanes: not a power of two")
        while lanes > 2:
            half, low, high = _halves(Vector(f"v{lanes}{v.letter}"))
            lines.append(f"{half} l{lanes // 2} = {_part(value, low)};")
            lines.append(f"{half} h{lanes // 2} = {_part(value, high)};")
            lanes //= 2
            lines.append(f"{half} r{lanes} = {combine.format(f'l{lanes}', f'h{lanes}', half)};")
            value = f"r{lanes}"
        if lanes == 2 and "(" in combine:  # a function of vectors: swap the last two lanes
            pair = f"v2{v.letter}"
            lines.append(f"{pair} swapped = __builtin_shufflevector({value}, {value}, 1, 0);")
            lines.append(f"return ({combine.format(value, 'swapped', pair)})[0];")
        else:
            last = combine.format(f"{value}[0]", f"{value}[1]", "") if lanes == 2 else f"{value}[0]"
            lines.append(f"return {last};")
        return _function(v.type, f"{name}_{v.name}", f"{v.name} x", *lines)

    return build


VECTORS: dict[str, Callable[[Vector], str]] = {
    "": _typedef,
    "load": _load,
    "store": _store,
    "splat": _splat,
    "first": _lanes,
    "select": _select,
    "masked_load": _masked_load,
    "masked_store": _masked_store,
    "interleave_low": _interleave("interleave_low", 0),
    "interleave_high": _interleave("interleave_high", 1),
    "transpose": _transpose,
    "load_bool": _bool_load,
    "store_bool": _bool_store,
    "max": _extreme("max", "(x > y) | (x != x)"),
    "min": _extreme("min", "(x < y) | (x != x)"),
    "maxnum": _extreme("maxnum", "(x > y) | (y != y)"),
    "minnum": _extreme("minnum", "(x < y) | (y != y)"),
    "greater": _extreme("greater", "x > y"),
    "lesser": _extreme("lesser", "x < y"),
    "sum": _tree("sum", "{0} + {1}"),
    "product": _tree("product", "{0} * {1}"),
    "all_of": _tree("all_of", "{0} & {1}"),
    "any_of": _tree("any_of", "{0} | {1}"),
    "odd_of": _tree("odd_of", "{0} ^ {1}"),
    "largest": _tree("largest", "max_{2}({0}, {1})"),
    "smallest": _tree("smallest", "min_{2}({0}, {1})"),
    "largest_num": _tree("largest_num", "maxnum_{2}({0}, {1})"),
    "smallest_num": _tree("smallest_num", "minnum_{2}({0}, {1})"),
}
"""Functions on vectors, by the part of their name before the vector type: `load_v16f`."""

ARITY = {"fma": 3, "copysign": 2, "pow": 2, "atan2": 2}


def lanewise_math(function: str, v: Vector) -> str:
    """`sqrt_v16f`: a function of <math.h>, lane by lane; one instruction where the machine has it."""
    names = "xyz"[: ARITY.get(function, 1)]
    parameters = ", ".join(f"{v.name} {n}" for n in names)
    arguments = ", ".join(f"{n}[i]" for n in names)
    suffix = "f" if v.letter == "f" else ""
    return v.lanewise(f"{function}_{v.name}", parameters, f"{function}{suffix}({arguments})")
