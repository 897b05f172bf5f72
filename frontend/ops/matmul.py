"""Products of vectors and matrices, all by `hl.matmul`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.hl import contraction as k
from ...dialects.types import i64
from ..dispatch import apply, builder
from ..errors import runtime_error, type_error
from ..tape import named
from ..tensor import Tensor
from .arithmetic import add, mul
from .einsum import einsum, tensordot
from .operands import broadcast_shape, cast, expand_to, flat
from .reductions import FUNCTIONS as REDUCTIONS
from .shape import expand, reshaped


def _check_dtypes(x: Any, y: Any) -> None:
    for name, value in (("'input' (position 1)", x), ("'other' (position 2)", y)):
        if not isinstance(value, Tensor):
            raise type_error(f"matmul(): argument {name} must be Tensor, not {type(value).__name__}")
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
    for number, x in enumerate((input, mat2), 1):
        if len(x._spec.shape) != 3:
            raise runtime_error(f"batch{number} must be a 3D tensor")
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
    ranks = len(input._spec.shape), len(vec._spec.shape)
    if ranks != (2, 1):
        raise runtime_error(f"vector + matrix @ vector expected, got 1, {ranks[0]}, {ranks[1]}")
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
    if x._spec.dtype.kind == "int" and isinstance(factor, float):
        factor = int(factor)
    return x if _is(factor, 1) else mul(x, factor)


def _added(name: str, input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta * input + alpha * product, where the input may only be smaller."""
    wide = expand(input, product._spec.shape)
    product = _scaled(product, alpha)
    return named(product if _is(beta, 0) else add(_scaled(wide, beta), product), name)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat1 @ mat2"""
    return _added("AddmmBackward0", input, mm(mat1, mat2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * batch1 @ batch2"""
    return _added("BaddbmmBackward0", input, bmm(batch1, batch2), beta, alpha)


def _sum_of(products: Tensor) -> Tensor:
    return REDUCTIONS["sum"](products, 0, dtype=products._spec.dtype)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the sum of all batch1[i] @ batch2[i]"""
    return _added("AddbmmBackward0", input, _sum_of(bmm(batch1, batch2)), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat @ vec"""
    return _added("AddmvBackward0", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)"""
    if vec1._spec.dtype.kind != "float" and (isinstance(alpha, float) or isinstance(beta, float)):
        name = "alpha" if isinstance(alpha, float) else "beta"
        raise runtime_error(f"For integral input tensors, argument {name} must not be a floating point number.")
    return _added("AddrBackward0", input, outer(vec1, vec2), beta, alpha)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products along the last dimension of both."""
    a, b = input._spec.shape, other._spec.shape
    if not a or not b:
        return mul(input, other)
    if a[-1] != b[-1]:
        raise runtime_error(
            f"inner() the last dimension must match on both input tensors but got shapes {list(a)} and {list(b)}"
        )
    return tensordot(input, other, ([-1], [-1]))


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices, each pair in the order that costs least."""
    return multi_dot(matrices)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices, the first and the last of which may be vectors, at the least cost."""
    parts = list(tensors)
    if len(parts) < 2:
        raise runtime_error("multi_dot(): expected at least 2 tensors but got " + str(len(parts)))
    is_vector = [len(x._spec.shape) == 1 for x in (parts[0], parts[-1])]
    if is_vector[0]:
        parts[0] = reshaped(parts[0], (1, -1))
    if is_vector[1]:
        parts[-1] = reshaped(parts[-1], (-1, 1))
    sizes = [x._spec.shape[0] for x in parts] + [parts[-1]._spec.shape[1]]
    result = _chain(parts, sizes, 0, len(parts), {})[1]()
    shape = result._spec.shape
    kept = tuple(n for n, dropped in zip(shape, is_vector) if not dropped)
    return result if kept == shape else reshaped(result, kept)


def _chain(
    parts: list[Tensor], sizes: list[int], start: int, stop: int, found: dict[tuple[int, int], Any]
) -> tuple[int, Callable[[], Tensor]]:
    """(multiplications, how to compute) of the cheapest way to multiply parts[start:stop]."""
    if stop - start == 1:
        return 0, lambda: parts[start]
    key = (start, stop)
    if key not in found:
        ways: list[tuple[int, int]] = []
        for cut in range(start + 1, stop):
            left, right = (_chain(parts, sizes, a, b, found)[0] for a, b in ((start, cut), (cut, stop)))
            ways.append((left + right + sizes[start] * sizes[cut] * sizes[stop], cut))
        cost, cut = min(ways)
        halves = [_chain(parts, sizes, a, b, found)[1] for a, b in ((start, cut), (cut, stop))]
        found[key] = cost, lambda: mm(halves[0](), halves[1]())
    return found[key]


def matrix_power(input: Tensor, n: int) -> Tensor:
    """A square matrix, or each in a batch, multiplied by itself n - 1 times."""
    shape = input._spec.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        sizes = " by ".join(map(str, shape[-2:]))
        raise runtime_error(f"linalg.matrix_power: A must be batches of square matrices, but they are {sizes} matrices")
    if n < 0:
        from .factorizations import inv

        return matrix_power(inv(input), -n)
    result: Tensor | None = None
    square = input
    while n:
        if n & 1:
            result = square if result is None else matmul(result, square)
        n >>= 1
        if n:
            square = matmul(square, square)
    if result is not None:
        return result if result is not input else input.clone()
    one = builder.compare("eq", builder.iota(shape[-2:], i64, 0), builder.iota(shape[-2:], i64, 1))
    return flat(expand_to(cast(one, input._spec.dtype), shape).clone(), input)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(addbmm, addmm, addmv, addr, baddbmm, bmm, chain_matmul, dot, einsum, inner, matmul, matrix_power, mm, mv),
        *(outer, tensordot),
    )
}
FUNCTIONS.update(ger=outer, vdot=dot)
METHODS = {name: f for name, f in FUNCTIONS.items() if name not in ("chain_matmul", "einsum", "tensordot")}
IN_PLACE = ("addbmm", "addmm", "addmv", "addr", "baddbmm")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "matmul", "matrix_power", "multi_dot"]
