"""What a contraction is: from indexing maps to roles.

    out[b, m, n] += f(a[b, m, k], ...) * g(w[b, n, k], ...)

A dimension of both factors and the output is a batch dimension, of the first factor and the output M, of the second
and the output N, and one that the output lacks is K. LinearLike expressions may be any linear ones (`2 * d1 + d5`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

from xdsl.dialects import arith
from xdsl.dialects.builtin import BFloat16Type, Float16Type, FloatAttr, IntegerAttr
from xdsl.dialects.func import FuncOp
from xdsl.dialects.linalg.ops import FillOp, GenericOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr

from ....dialects.linalg_rules import loop_extents
from ....dialects.types import is_integer, is_memref
from ...utils.affine import LinearExpr, LinearLike

Form = tuple[int, tuple[tuple[int, int], ...]]
"""A linear form over loop dimensions: a constant and (dimension, factor) pairs."""


class Bodies(Protocol):
    """What a target can do to the elements of a tile."""

    def computes(self, op: Operation) -> bool:
        """Whether an operation of a body can be done on a whole tile."""
        ...

    def expand(self, kernel: FuncOp, ops: Iterable[Operation]) -> bool:
        """Puts what the target computes in the place of operations that it lacks; returns whether there were any."""
        ...


class NotTaken(Exception):
    """This operation is not a contraction that the engine takes; the message says why."""


def linear(expr: AffineExpr) -> Form:
    """An affine expression as a linear form; raises `NotTaken` on `floordiv`, `ceildiv` and `mod`."""
    if isinstance(expr, AffineConstantExpr):
        return expr.value, ()
    if isinstance(expr, AffineDimExpr):
        return 0, ((expr.position, 1),)
    if isinstance(expr, AffineBinaryOpExpr):
        left, right = linear(expr.lhs), linear(expr.rhs)
        if expr.kind is AffineBinaryOpKind.Add:
            factors = dict(left[1])
            for dim, factor in right[1]:
                factors[dim] = factors.get(dim, 0) + factor
            return left[0] + right[0], tuple((d, f) for d, f in factors.items() if f)
        if expr.kind is AffineBinaryOpKind.Mul and not (left[1] and right[1]):
            form, by = (left, right[0]) if left[1] else (right, left[0])
            return form[0] * by, tuple((d, f * by) for d, f in form[1] if by)
    raise NotTaken("an index is not linear")


@dataclass(frozen=True)
class Box:
    """Several dimensions walked as one: chunks of the first by all of the others, the last one fastest."""

    lead: int
    inner: tuple[int, ...]
    extents: tuple[int, ...]
    """Of the inner dimensions."""
    chunk: int
    """How many steps of the first make a chunk."""

    @property
    def size(self) -> int:
        """Points by step of the first dimension."""
        return prod(self.extents)

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions that change within a chunk."""
        return self.inner if self.chunk == 1 else (self.lead, *self.inner)


Dim = int | Box | None
"""What vectors or the rows of a tile run along; `None` if there is nothing to run along."""


def dims_of(dim: Dim) -> tuple[int, ...]:
    """The loop dimensions of one or several."""
    return () if dim is None else dim.dims if isinstance(dim, Box) else (dim,)


@dataclass(frozen=True)
class AffineAccess:
    """Which element of a buffer belongs to a point of the iteration space."""

    buffer: SSAValue
    forms: tuple[Form, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the buffer."""
        assert is_memref(self.buffer.type)
        return self.buffer.type.get_shape()

    @property
    def element(self) -> Attribute:
        """The element type of the buffer."""
        assert is_memref(self.buffer.type)
        return self.buffer.type.element_type

    @property
    def dims(self) -> set[int]:
        """The dimensions that the indices depend on."""
        return {dim for _, terms in self.forms for dim, _ in terms}

    def stride(self, dim: int | None) -> int:
        """How many elements apart two neighbours along a dimension lie."""
        total, step = 0, 1
        for (_, terms), extent in zip(reversed(self.forms), reversed(self.shape), strict=True):
            total += step * dict(terms).get(dim, 0) if dim is not None else 0
            step *= extent
        return total

    def contiguous(self, dim: Dim) -> bool:
        """Whether neighbours along a dimension are neighbours in the buffer, in its last dimension if it is but one."""
        if dim is None or not self.forms:
            return False
        if isinstance(dim, Box):
            count = len(dim.dims)
            outer, last = self.forms[:-count], self.forms[-count:]
            return (
                last == tuple((0, ((d, 1),)) for d in dim.dims)
                and self.shape[-len(dim.inner) :] == dim.extents
                and not any(d in dim.dims for _, terms in outer for d, _ in terms)
            )
        *outer, last = self.forms
        return dict(last[1]).get(dim) == 1 and all(dict(terms).get(dim, 0) == 0 for _, terms in outer)

    def backwards(self, dim: Dim) -> bool:
        """Whether neighbours along a dimension are neighbours in the buffer, the next one before the last."""
        dims = dims_of(dim)
        if not dims or len(dims) > len(self.forms):
            return False
        outer, last = self.forms[: -len(dims)], self.forms[-len(dims) :]
        sizes = self.shape[-len(dims) :]
        whole = all(form == (n - 1, ((d, -1),)) for d, n, form in zip(dims, sizes, last, strict=True))
        single = len(dims) == 1 and last[0][1] == ((dims[0], -1),)
        return (whole or single) and not any(d in dims for _, terms in outer for d, _ in terms)

    def constant(self, dim: Dim) -> bool:
        """Whether neighbours along a dimension are one and the same element."""
        return self.dims.isdisjoint(dims_of(dim))

    def footprint(self, extents: Mapping[int, int]) -> int:
        """How many elements lie in the smallest block that holds all points; dimensions left out are of extent 1."""
        reach = (sum(abs(f) * (extents.get(d, 1) - 1) for d, f in terms) + 1 for _, terms in self.forms)
        return prod(reach)

    def at(self, point: Mapping[int, LinearLike]) -> list[LinearExpr]:
        """The indices at a point; dimensions that it does not name are 0."""
        indices: list[LinearExpr] = []
        for const, terms in self.forms:
            index = LinearExpr(const)
            for dim, factor in terms:
                if dim in point:
                    index += LinearExpr.of(point[dim]) * factor
            indices.append(index)
        return indices

    def renamed(self, dims: Mapping[int, int | None]) -> AffineAccess:
        """The access in terms of other dimensions; `None` stands for a dimension that is always 0."""
        forms = tuple(
            (const, tuple((new, factor) for dim, factor in terms if (new := dims[dim]) is not None))
            for const, terms in self.forms
        )
        return replace(self, forms=forms)

    def normalized(self) -> tuple[Form, ...]:
        """The forms in an order of their own, for comparison."""
        return tuple((const, tuple(sorted(terms))) for const, terms in self.forms)


@dataclass(frozen=True)
class Run:
    """The last dimensions of K, as far as a factor has them one after the other in memory."""

    dim: Dim
    dims: tuple[int, ...]
    size: int
    backwards: bool = False


@dataclass(frozen=True)
class Factor:
    """One side of the product: an elementwise function of some inputs, usually just one input."""

    inputs: tuple[tuple[SSAValue, AffineAccess], ...]
    """Block arguments of the body and what they read."""
    ops: tuple[Operation, ...]
    result: SSAValue

    @property
    def plain(self) -> AffineAccess | None:
        """The input, if that is all there is to the factor."""
        return self.inputs[0][1] if not self.ops and len(self.inputs) == 1 else None

    @property
    def dims(self) -> set[int]:
        """The dimensions that the factor depends on."""
        return {dim for _, access in self.inputs for dim in access.dims}

    def contiguous(self, dim: Dim) -> bool:
        """Whether every input is contiguous along a dimension or does not depend on it, and one is."""
        found = [access.contiguous(dim) for _, access in self.inputs]
        return any(found) and all(
            good or access.constant(dim) for good, (_, access) in zip(found, self.inputs, strict=True)
        )

    def run(self, k_dims: tuple[int, ...], extents: Sequence[int]) -> Run:
        """The longest run; the last dimension of K alone if there is none."""
        access = self.plain
        for first in range(len(k_dims)):
            dims = k_dims[first:]
            inside = tuple(extents[d] for d in dims[1:])
            dim = Box(dims[0], dims[1:], inside, extents[dims[0]]) if inside else dims[0]
            if access is not None and (access.contiguous(dim) or access.backwards(dim)):
                return Run(dim, dims, extents[dims[0]] * prod(inside), not access.contiguous(dim))
        last = k_dims[-1:]
        return Run(last[0], last, extents[last[0]]) if last else Run(None, (), 1)


@dataclass(frozen=True)
class Contraction:
    """A contraction with its dimensions sorted by role. Dimensions of extent 1 are left out of every list."""

    op: GenericOp
    extents: tuple[int, ...]
    left: Factor
    right: Factor
    out: AffineAccess
    batch: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    k: tuple[int, ...]
    fill: FillOp | None
    """The fill with zero that the contraction starts from; without it, it adds to what is there."""

    @property
    def points(self) -> int:
        """How many products there are."""
        return prod(self.extents)

    @property
    def element(self) -> Attribute:
        """The element type of the accumulators."""
        return self.out.element


LONG = 16
"""From this K on, a matrix of contiguous rows by a vector is better off as dot products."""

PRODUCTS: dict[type[Operation], type[Operation]] = {arith.MulfOp: arith.AddfOp, arith.MuliOp: arith.AddiOp}
ADDITIONS = {sum_: product for product, sum_ in PRODUCTS.items()}


def access_of(buffer: SSAValue, expressions: Sequence[AffineExpr], extents: Sequence[int]) -> AffineAccess:
    """How an operand is indexed, without the dimensions of extent 1."""
    if not is_memref(buffer.type) or any(extent < 0 for extent in buffer.type.get_shape()):
        raise NotTaken("an operand is not a memref of known shape")
    forms = (linear(expression) for expression in expressions)
    return AffineAccess(buffer, tuple((c, tuple((d, f) for d, f in terms if extents[d] != 1)) for c, terms in forms))


def known_extents(op: GenericOp) -> tuple[int, ...]:
    """How far each loop runs, on buffers of known shape."""
    if not all(is_memref(value.type) for value in op.operands):
        raise NotTaken("an operand is not a memref")
    extents = loop_extents(op)
    if any(extent < 0 for extent in extents):
        raise NotTaken("the extent of a loop is unknown")
    return tuple(extents)


def body_slice(result: SSAValue, inputs: Mapping[SSAValue, AffineAccess], bodies: Bodies) -> Factor:
    """The operations of a body that a value comes from, and its inputs; what is from outside is neither."""
    block = next(iter(inputs)).owner
    ops: dict[Operation, None] = {}
    used: dict[SSAValue, AffineAccess] = {}

    def visit(value: SSAValue) -> None:
        op = value.owner
        if value in inputs:
            used[value] = inputs[value]
        elif op is block:
            raise NotTaken("a factor depends on the accumulator")
        elif isinstance(op, Operation) and op.parent is block and op not in ops:
            if not bodies.computes(op):
                raise NotTaken(f"{op.name} in the body")
            for operand in op.operands:
                visit(operand)
            ops[op] = None

    visit(result)
    return Factor(tuple(used.items()), tuple(ops), result)


def is_zero(value: SSAValue) -> bool:
    """Whether a value is the constant zero."""
    op = value.owner
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, FloatAttr | IntegerAttr):
        return False
    data = op.value.value.data
    return data == 0 and not str(data).startswith("-")


def classify(op: GenericOp, fill: FillOp | None, bodies: Bodies) -> Contraction:
    """Reads a `linalg.generic` as a contraction, or raises `NotTaken`."""
    maps = [m.data for m in op.indexing_maps]
    block = op.body.block
    if len(op.inputs) == 0:
        raise NotTaken("it has no inputs")
    if len(op.outputs) != 1 or op.results:
        raise NotTaken("it has several outputs")
    extents = known_extents(op)
    accesses = [access_of(v, map_.results, extents) for v, map_ in zip(op.operands, maps, strict=True)]
    out, accumulator = accesses[-1], block.args[-1]
    narrow = isinstance(out.element, BFloat16Type | Float16Type)
    if narrow or (is_integer(out.element) and out.element.bitwidth < 32):
        raise NotTaken(f"accumulation in {out.element}")
    assert block.last_op is not None
    total = block.last_op.operands[0].owner
    if not isinstance(total, Operation) or type(total) not in ADDITIONS or accumulator not in total.operands:
        raise NotTaken("the body is no sum")
    product = (total.operands[1] if total.operands[0] is accumulator else total.operands[0]).owner
    if not isinstance(product, Operation) or type(product) is not ADDITIONS[type(total)]:
        raise NotTaken("the body is no sum of products")
    inputs: dict[SSAValue, AffineAccess] = dict(zip(block.args[:-1], accesses[:-1], strict=True))
    left, right = (body_slice(operand, inputs, bodies) for operand in product.operands)
    kept = {dim for _, terms in out.forms for dim, _ in terms}
    if any(len(terms) > 1 or any(f != 1 for _, f in terms) or c for c, terms in out.forms):
        raise NotTaken("the output is indexed by more than bare dimensions")
    loops = [dim for dim, extent in enumerate(extents) if extent != 1]
    roles: dict[tuple[bool, bool, bool], list[int]] = {}
    for dim in loops:
        roles.setdefault((dim in left.dims, dim in right.dims, dim in kept), []).append(dim)
    k = [dim for (_, _, in_out), dims in roles.items() if not in_out for dim in dims]
    batch, m, n = (tuple(roles.get(key, ())) for key in ((True, True, True), (True, False, True), (False, True, True)))
    if (False, False, True) in roles:
        raise NotTaken("a dimension of the output is in no factor")
    if not left.inputs or not right.inputs:
        raise NotTaken("a factor reads nothing")
    if not m and not n:
        raise NotTaken("it has neither rows nor columns")
    depth = prod(extents[dim] for dim in k)
    for factor, dims, others in ((left, m, n), (right, n, m)):
        if not others and depth >= LONG and not any(factor.contiguous(dim) for dim in dims):
            raise NotTaken("it is a matrix by a vector, row by row: plain loops read it once, in order")
    if any(access.buffer is out.buffer for factor in (left, right) for _, access in factor.inputs):
        raise NotTaken("it reads its own output")
    if 0 in extents:
        raise NotTaken("it is empty")
    return Contraction(op, extents, left, right, out, batch, m, n, tuple(sorted(k)), fill)
