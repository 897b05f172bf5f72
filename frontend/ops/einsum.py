"""Einstein summation: sums of products by index letters, two operands at a time, each pair one batched product."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any
from typing import cast as typed

from ...dialects.hl import contraction as k
from ..dispatch import apply, builder
from ..errors import TYPE_NAMES, runtime_error
from ..tensor import Tensor
from .joining import diagonal
from .operands import expand_to
from .reductions import FUNCTIONS as REDUCTIONS
from .shape import ints, permute, reshaped

LETTERS = string.ascii_uppercase + string.ascii_lowercase
"""What a number in a list of subscripts stands for."""


def einsum(*args: Any) -> Tensor:
    """einsum("ij,jk->ik", a, b), or einsum(a, [0, 1], b, [1, 2], [0, 2])"""
    equation, tensors = _equation(args)
    terms, right = _parsed(equation, tensors)
    parts = [_diagonals(number, term, x) for number, (term, x) in enumerate(zip(terms, tensors))]
    _check_sizes(parts)
    term, x = parts[0]
    for number, (other, y) in enumerate(parts[1:], 2):
        later = right + "".join(t for t, _ in parts[number:])
        term, x = _contract(term, x, other, y, later)
    summed = tuple(d for d, c in enumerate(term) if c not in right)
    if summed:
        x = REDUCTIONS["sum"](x, summed)
        term = "".join(c for c in term if c in right)
    return permute(x, tuple(term.index(c) for c in right))


def _equation(args: tuple[Any, ...]) -> tuple[str, list[Tensor]]:
    """The equation as text, and its operands."""
    if isinstance(args[0], str):
        one = args[1] if len(args) == 2 else None
        return args[0], list(typed(Any, one)) if isinstance(one, (list, tuple)) else list(args[1:])
    pairs = len(args) // 2
    terms = [_text(args[2 * n + 1]) for n in range(pairs)]
    arrow = f"->{_text(args[-1])}" if len(args) % 2 else ""
    return ",".join(terms) + arrow, [args[2 * n] for n in range(pairs)]


def _text(subscripts: Sequence[Any]) -> str:
    return "".join("..." if part is Ellipsis else LETTERS[part] for part in subscripts)


def _parsed(equation: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    """A term of letters an operand, and that of the result."""
    for at, c in enumerate(equation):
        if c not in LETTERS and c not in " ,." and equation[at : at + 2] != "->" and equation[at - 1 : at + 1] != "->":
            raise runtime_error(
                f"einsum(): invalid subscript given at index {at} in the equation string, subscripts must be in "
                "[a-zA-Z]"
            )
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        kind = "fewer" if len(tensors) < len(terms) else "more"
        raise runtime_error(f"einsum(): {kind} operands were provided than specified in the equation")
    for number, (term, x) in enumerate(zip(terms, tensors)):
        _check_term(number, term, x, tensors[0])
    terms, right = _without_ellipsis(terms, right, bool(arrow), tensors)
    if not arrow:
        letters = "".join(terms)
        right += "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in right))
    for c in right:
        if right.count(c) > 1:
            raise runtime_error(f"einsum(): output subscript {c} appears more than once in the output")
        if c not in "".join(terms):
            raise runtime_error(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
    return terms, right


def _check_term(number: int, term: str, x: Tensor, first: Tensor) -> None:
    letters = term.replace("...", "", 1)
    if "." in letters:
        raise runtime_error(f"einsum(): found '.' for operand {number} that is not part of any ellipsis")
    rank = len(x._spec.shape)
    if len(letters) > rank or (len(letters) != rank and letters == term):
        extra = "" if letters != term else " and no ellipsis was given"
        raise runtime_error(
            f"einsum(): the number of subscripts in the equation ({len(letters)}) does not match the number of "
            f"dimensions ({rank}) for operand {number}{extra}"
        )
    if x._spec.dtype is not first._spec.dtype:
        names = TYPE_NAMES[first._spec.dtype], TYPE_NAMES[x._spec.dtype]
        raise runtime_error(f"expected scalar type {names[0]} but found {names[1]}")


def _check_sizes(parts: Sequence[tuple[str, Tensor]]) -> None:
    size: dict[str, int] = {}
    for number, (term, x) in enumerate(parts):
        for c, n in zip(term, x._spec.shape):
            if n != 1 and size.get(c, 1) not in (1, n):
                raise runtime_error(
                    f"einsum(): subscript {c} has size {n} for operand {number} which does not broadcast with "
                    f"previously seen size {size[c]}"
                )
            size[c] = n if n != 1 else size.get(c, 1)


def _without_ellipsis(terms: list[str], right: str, has_output: bool, tensors: list[Tensor]) -> tuple[list[str], str]:
    """Letters of their own, upper case from Z down, for what an ellipsis stands for."""
    if not any("..." in term for term in terms):
        return terms, right.replace("...", "", 1)
    most = max(len(x._spec.shape) - len(t.replace("...", "")) for t, x in zip(terms, tensors) if "..." in t)
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in "".join(terms)]
    letters = "".join(free[:most])
    replaced: list[str] = []
    for term, x in zip(terms, tensors):
        count = len(x._spec.shape) - len(term.replace("...", ""))
        replaced.append(term.replace("...", letters[most - count :] if count else ""))
    return replaced, right.replace("...", letters) if has_output else letters


def _diagonals(number: int, term: str, x: Tensor) -> tuple[str, Tensor]:
    """Each letter once."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            a = term.index(letter)
            b = term.index(letter, a + 1)
            m, n = x._spec.shape[a], x._spec.shape[b]
            if m != n:
                raise runtime_error(
                    f"einsum(): subscript {letter} is repeated for operand {number} but the sizes don't match, "
                    f"{n} != {m}"
                )
            x = diagonal(x, 0, a, b)
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + letter
    return term, x


def _contract(a: str, x: Tensor, b: str, y: Tensor, later: str) -> tuple[str, Tensor]:
    """Two operands to one: letters of both that are needed later are the batch, those not needed are summed."""
    size: dict[str, int] = {}
    for term, operand in ((a, x), (b, y)):
        for c, n in zip(term, operand._spec.shape):
            size[c] = n if size.get(c, 1) == 1 else size[c]
    batch = [c for c in a if c in b and c in later]
    inner = [c for c in a if c in b and c not in later]
    x, a = _summed(x, a, [c for c in a if c not in b and c not in later])
    y, b = _summed(y, b, [c for c in b if c not in a and c not in later and c not in inner and c not in batch])
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    x = _arranged(x, a, batch, rows, inner, size)
    y = _arranged(y, b, batch, inner, columns, size)
    product = apply(k.MatmulOp, (x, y))[0]
    term = "".join(batch + rows + columns)
    return term, reshaped(product, tuple(size[c] for c in term))


def _summed(x: Tensor, term: str, letters: list[str]) -> tuple[Tensor, str]:
    if not letters:
        return x, term
    return REDUCTIONS["sum"](x, tuple(term.index(c) for c in letters)), "".join(c for c in term if c not in letters)


def _arranged(
    x: Tensor, term: str, batch: list[str], rows: list[str], columns: list[str], size: dict[str, int]
) -> Tensor:
    letters = [*batch, *rows, *columns]
    x = permute(x, tuple(term.index(c) for c in letters))
    x = expand_to(x, tuple(size[c] for c in letters))
    joined = (math.prod(size[c] for c in group) for group in (rows, columns))
    return builder.reshape(x, (*(size[c] for c in batch), *joined)) if batch else reshaped(x, tuple(joined))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over some dimensions of each: the last `dims` of a and the first of b, or those named."""
    m, n = len(a._spec.shape), len(b._spec.shape)
    if isinstance(dims, int):
        if dims < 0:
            raise runtime_error(f"tensordot expects dims >= 0, but got dims={dims}")
        left, right = tuple(range(m - dims, m)), tuple(range(dims))
    else:
        left, right = (ints((d,)) for d in dims)
    if len(left) != len(right):
        raise runtime_error("both dimension lists should have same length")
    for p, q in zip(left, right):
        sizes = a._spec.shape[p], b._spec.shape[q]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise runtime_error(
                f"contracted dimensions need to match, but first has size {sizes[0]} in dim {p} and second has size "
                f"{sizes[1]} in dim {q}"
            )
    first = LETTERS[:m]
    second = [LETTERS[m + d] for d in range(n)]
    for p, q in zip(left, right):
        second[q % n] = first[p % m]
    kept = [c for d, c in enumerate(first) if d not in [p % m for p in left]]
    kept += [c for d, c in enumerate(second) if d not in [q % n for q in right]]
    return einsum(f"{first},{''.join(second)}->{''.join(kept)}", a, b)


__all__ = ["einsum", "tensordot"]
