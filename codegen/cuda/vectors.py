"""Vector types and functions that a text mentions, as CUDA C: one line each, upon the templates of `vectors.cuh`.

typedef vec<float, 4> v4f;
DEVICE v4f load_v4f(const float *p) { return load_lanes<float, 4>(p); }
DEVICE v4f exp_v4f(v4f x) { LANES_OF(v4f, expf(x[i])); }
"""

from __future__ import annotations

import re

from ..names import MATH
from ..vector_primitives import ARITY, ELEMENTS

_NAME = re.compile(r"\b(?:(\w+)_)?v(\d+)([a-z])\b")
_COMMENT = re.compile(r"//.*")
_SCALARS = {"f": "f32", "d": "f64"}
_REDUCTIONS = {
    "sum": "Sum", "product": "Product", "all_of": "AllOf", "any_of": "AnyOf", "odd_of": "OddOf", "largest": "Largest",
    "smallest": "Smallest", "largest_num": "LargestNum", "smallest_num": "SmallestNum",
}  # fmt: skip


def vector_functions(text: str) -> str:
    """Definitions of all vector types and functions that a text mentions."""
    types: dict[str, str] = {}
    functions: dict[str, str] = {}
    for function, lanes, letter in _NAME.findall(_COMMENT.sub("", text)):
        if letter not in ELEMENTS:
            continue
        types[f"v{lanes}{letter}"] = _typedef(lanes, letter)
        if function and (found := _definition(function, lanes, letter)):
            types[f"v{lanes}i"] = _typedef(lanes, "i")  # masks
            functions[f"{function}_v{lanes}{letter}"] = f"DEVICE {found}"
    return "".join(line + "\n" for line in (*types.values(), *functions.values()))


def _typedef(lanes: str, letter: str) -> str:
    return f"typedef vec<{ELEMENTS[letter][0]}, {lanes}> v{lanes}{letter};"


def _definition(function: str, lanes: str, letter: str) -> str | None:
    element, vector, mask = ELEMENTS[letter][0], f"v{lanes}{letter}", f"v{lanes}i"
    pair, name = f"<{element}, {lanes}>", f"{function}_{vector}"
    if function in _REDUCTIONS:
        return f"{element} {name}({vector} x) {{ return reduce_lanes<{_REDUCTIONS[function]}>(x); }}"
    if function in ("max", "min", "maxnum", "minnum") and letter in _SCALARS:
        return (
            f"{vector} {name}({vector} x, {vector} y) {_lanewise(vector, lanes, f'{function}_{_SCALARS[letter]}', 2)}"
        )
    if function in MATH or function == "rsqrt":
        arity = ARITY.get(function, 1)
        parameters = ", ".join(f"{vector} {p}" for p in "xyz"[:arity])
        return f"{vector} {name}({parameters}) {_lanewise(vector, lanes, function + 'f' * (letter == 'f'), arity)}"
    return {
        "splat": f"{vector} {name}({element} x) {{ return splat{pair}(x); }}",
        "load": f"{vector} {name}(const {element} *p) {{ return load_lanes{pair}(p); }}",
        "store": f"void {name}({element} *p, {vector} x) {{ store_lanes{pair}(p, x); }}",
        "load_bool": f"{vector} {name}(const bool *p) {{ return load_mask<{lanes}>(p); }}",
        "store_bool": f"void {name}(bool *p, {vector} x) {{ store_mask<{lanes}>(p, x); }}",
        "masked_load": f"{vector} {name}(const {element} *p, {mask} mask, {vector} other) "
        f"{{ return masked_load_lanes{pair}(p, mask, other); }}",
        "masked_store": f"void {name}({element} *p, {mask} mask, {vector} x) "
        f"{{ masked_store_lanes{pair}(p, mask, x); }}",
        "first": f"{vector} {name}(long n) {{ return first_lanes<{lanes}>(n); }}",
        "select": f"{vector} {name}({mask} m, {vector} x, {vector} y) {{ return select_lanes{pair}(m, x, y); }}",
        "bits": f"template <class From> {vector} {name}(From x) {{ return vector_bits<{vector}>(x); }}",
    }.get(function)


def _lanewise(vector: str, lanes: str, function: str, arity: int) -> str:
    arguments = ", ".join(f"{p}[i]" for p in "xyz"[:arity])
    return f"{{ {vector} r; LANES for (int i = 0; i < {lanes}; i++) r[i] = {function}({arguments}); return r; }}"
