"""Products of vectors and matrices, all by `hl.matmul`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

from ...dialects.hl import contraction as k
from ..dispatch import apply, builder
from ..errors import runtime_error, type_error
from ..tape import named
from ..tensor import Tensor
from .arithmetic import add, mul
from .joining import diagonal
from .operands import broadcast_shape, expand_to
from .reductions import FUNCTIONS as REDUCTIONS
from .shape import permute, reshaped, transpose


def _check_dtypes(x: Any, y: Any) -> None:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        wrong = y if isinstance(x, Tensor) else x
        raise type_error(f"matmul(): arguments must be Tensors, not {type(wrong).__name__}")
    if x._spec.dtype is not y._spec.dtype:
        names = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int"}
        a, b = (names.get(t._spec.dtype.torch_name, t._spec.dtype.torch_name) for t in (x, y))
        raise runtime_error(f"expected m1 and m2 to have the same dtype, but got: {a} != {b}")


def _matrices(x: Tensor, y: Tensor) -> Tensor:
    (m, n), (p, q) = x._spec.shape, y._spec.shape
    if n != p:
        raise runtime_error(f"mat1 and mat2 shapes cannot be multiplied ({m}x{n} and {p}x{q})")
    return apply(k.MatmulOp, (x, y))[0]


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    _check_dtypes(input, mat2)
    for name, x in (("self", input), ("mat2", mat2)):
        if len(x._spec.shape) != 2:
            raise runtime_error(f"{name} must be a matrix")
    return _matrices(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices."""
    _check_dtypes(input, mat2)
    if len(input._spec.shape) != 3 or len(mat2._spec.shape) != 3:
        raise runtime_error("batch1 must be a 3D tensor")
    b, _, n = input._spec.shape
    if mat2._spec.shape[:2] != (b, n):
        raise runtime_error(
            f"Expected size for first two dimensions of batch2 tensor to be: [{b}, {n}] but got: "
            f"[{mat2._spec.shape[0]}, {mat2._spec.shape[1]}]."
        )
    return named(apply(k.MatmulOp, (input, mat2))[0], "BmmBackward0")


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of vectors, matrices or batches of matrices."""
    _check_dtypes(input, other)
    a, b = input._spec.shape, other._spec.shape
    if len(a) == 2 and len(b) == 2:
        return _matrices(input, other)
    if not a or not b:
        raise runtime_error(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    x = reshaped(input, (1, *a)) if len(a) == 1 else input
    y = reshaped(other, (*b, 1)) if len(b) == 1 else other
    if x._spec.shape[-1] != y._spec.shape[-2]:
        if len(a) == 1 and len(b) == 1:
            raise runtime_error(
                f"inconsistent tensor size, expected tensor {list(a)} and src {list(b)} to have the same number of "
                f"elements, but got {a[0]} and {b[0]} elements respectively"
            )
        if len(a) == 2 and len(b) == 1:
            raise runtime_error(f"size mismatch, got input ({a[0]}), mat ({a[0]}x{a[1]}), vec ({b[0]})")
        rows = math.prod(x._spec.shape[:-1])
        raise runtime_error(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x._spec.shape[-1]} and "
            f"{y._spec.shape[-2]}x{y._spec.shape[-1]})"
        )
    result = _batched(x, y)
    shape = result._spec.shape
    if len(b) == 1:
        shape = shape[:-1]
    if len(a) == 1:
        shape = (*shape[:-2], *shape[-1:]) if len(b) > 1 else shape[:-1]
    return reshaped(result, shape) if shape != result._spec.shape else result


def _batched(x: Tensor, y: Tensor) -> Tensor:
    a, b = x._spec.shape, y._spec.shape
    if len(b) == 2:
        # One matrix for all: a single, taller product.
        flat = apply(k.MatmulOp, (reshaped(x, (math.prod(a[:-1]), a[-1])), y))[0]
        return reshaped(flat, (*a[:-1], b[-1]))
    batch = broadcast_shape(a[:-2], b[:-2])
    return apply(k.MatmulOp, (expand_to(x, batch + a[-2:]), expand_to(y, batch + b[-2:])))[0]


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    if len(input._spec.shape) != 1 or len(tensor._spec.shape) != 1:
        raise runtime_error(
            f"1D tensors expected, but got {len(input._spec.shape)}D and {len(tensor._spec.shape)}D tensors"
        )
    return matmul(input, tensor)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors."""
    for name, vector in (("self", input), ("vec2", vec2)):
        if len(vector._spec.shape) != 1:
            raise runtime_error(f"outer: Expected 1-D argument {name}, but got {len(vector._spec.shape)}-D")
    return mul(reshaped(input, (-1, 1)), vec2)


def _is(factor: Any, number: int) -> bool:
    return not isinstance(factor, Tensor) and factor == number


def _scaled(x: Tensor, factor: Any) -> Tensor:
    return x if _is(factor, 1) else mul(x, factor)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat1 @ mat2"""
    product = _scaled(mm(mat1, mat2), alpha)
    return named(product if _is(beta, 0) else add(_scaled(input, beta), product), "AddmmBackward0")


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * batch1 @ batch2"""
    product = _scaled(bmm(batch1, batch2), alpha)
    return named(product if _is(beta, 0) else add(_scaled(input, beta), product), "BaddbmmBackward0")


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat @ vec"""
    return add(_scaled(input, beta), _scaled(mv(mat, vec), alpha))


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products along the last dimension of both."""
    return matmul(input, transpose(other, -2, -1) if len(other._spec.shape) > 1 else other)


# Einstein summation


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products by index letters; two operands at a time, each pair one batched matrix product."""
    one = operands[0] if len(operands) == 1 else None
    tensors: list[Tensor] = list(cast(Any, one)) if isinstance(one, (list, tuple)) else list(operands)
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise runtime_error("einsum(): more operands were provided than specified in the equation")
    terms, right = _without_ellipsis(terms, right, bool(arrow), tensors)
    if not arrow:
        letters = "".join(terms)
        extra = "".join(c for c in dict.fromkeys(letters) if c.isupper() and letters.count(c) >= 1 and c in right)
        right = extra + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in extra))
    unknown = next((c for c in right if c not in "".join(terms)), None)
    if unknown:
        raise runtime_error(
            f"einsum(): output subscript {unknown} does not appear in the equation for any input operand"
        )
    parts = [_diagonals(term, x) for term, x in zip(terms, tensors)]
    term, x = parts[0]
    for number, (other, y) in enumerate(parts[1:], 2):
        later = right + "".join(t for t, _ in parts[number:])
        term, x = _contract(term, x, other, y, later)
    summed = tuple(d for d, c in enumerate(term) if c not in right)
    if summed:
        x = REDUCTIONS["sum"](x, summed)
        term = "".join(c for c in term if c in right)
    return permute(x, tuple(term.index(c) for c in right))


def _without_ellipsis(terms: list[str], right: str, has_output: bool, tensors: list[Tensor]) -> tuple[list[str], str]:
    """Letters of their own, upper case from Z down, for what an ellipsis stands for."""
    if not any("..." in term for term in terms):
        return terms, right
    most = max(len(x._spec.shape) - len(t.replace("...", "")) for t, x in zip(terms, tensors) if "..." in t)
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in "".join(terms)]
    letters = "".join(free[:most])
    replaced: list[str] = []
    for term, x in zip(terms, tensors):
        count = len(x._spec.shape) - len(term.replace("...", ""))
        replaced.append(term.replace("...", letters[most - count :] if count else ""))
    return replaced, right.replace("...", letters) if has_output else letters


def _diagonals(term: str, x: Tensor) -> tuple[str, Tensor]:
    if len(term) != len(x._spec.shape):
        raise runtime_error(
            f"einsum(): the number of subscripts in the equation ({len(term)}) does not match the number of dimensions "
            f"({len(x._spec.shape)}) for an operand and no ellipsis was given"
        )
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            a = term.index(letter)
            b = term.index(letter, a + 1)
            x = diagonal(x, 0, a, b)
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + letter
    return term, x


def _contract(a: str, x: Tensor, b: str, y: Tensor, later: str) -> tuple[str, Tensor]:
    """Two operands to one: letters of both that are needed later are the batch, those not needed are summed."""
    size: dict[str, int] = {}
    for term, operand in ((a, x), (b, y)):
        for c, n in zip(term, operand._spec.shape):
            if size.get(c, 1) not in (1, n) and n != 1:
                raise runtime_error(
                    f"einsum(): operands do not broadcast with remapped shapes: subscript {c} has size {n} but was "
                    f"{size[c]}"
                )
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
    """Sums of products over some dimensions of each."""
    if isinstance(dims, int):
        left, right = list(range(len(a._spec.shape) - dims, len(a._spec.shape))), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    m, n = len(a._spec.shape), len(b._spec.shape)
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = letters[:m]
    second = [letters[m + d] for d in range(n)]
    for p, q in zip(left, right):
        second[q % n] = first[p % m]
    kept = [c for d, c in enumerate(first) if d not in [p % m for p in left]]
    kept += [c for d, c in enumerate(second) if d not in [q % n for q in right]]
    return einsum(f"{first},{''.join(second)}->{''.join(kept)}", a, b)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (addmm, addmv, baddbmm, bmm, dot, einsum, matmul, mm, mv, outer, tensordot)
}
FUNCTIONS.update(ger=outer, inner=inner)
METHODS = {name: function for name, function in FUNCTIONS.items() if name not in ("einsum", "tensordot")}
IN_PLACE = ("addmm", "baddbmm", "addmv")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS"]
