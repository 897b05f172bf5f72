"""Ops with bodies of whole tensors: what a body says of the gradient, or a body that is differentiated itself."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation, SSAValue

from ....dialects.hl.builder import IRBuilder
from ....dialects.hl.control import ScanOp
from ....dialects.hl.regions import CheckpointOp, CustomGradientOp, copy_body
from ....dialects.locations import gradient_of
from ....dialects.types import DYNAMIC, TensorSpec, spec_of
from ...pass_base import fail
from ..engine import BodyRule, Engine
from .scan import scan_gradient


def static_spec(op: Operation, value: SSAValue) -> TensorSpec:
    """Shape and element type of a value; fails where a constant of that shape cannot be written."""
    spec = spec_of(value.type)
    if DYNAMIC in spec.shape:
        fail(op, f"{op.name}: expected a static shape, got {spec}")
    return spec


def custom_gradient(
    engine: Engine,
    builder: IRBuilder,
    op: CustomGradientOp,
    cotangents: Sequence[SSAValue | None],
    needs: Sequence[bool],
) -> Sequence[SSAValue | None]:
    """The cotangents of the operands of a function with a gradient of its own, by its body."""
    builder.location = gradient_of(op.location)
    given = _materialized(builder, op, cotangents)
    gradients = copy_body(op, [*op.outputs, *given, *op.captured], builder.block, builder.anchor)
    return [*([None] * len(op.values)), *gradients, *([None] * len(op.captured))]


def checkpoint_gradient(
    engine: Engine,
    builder: IRBuilder,
    op: CheckpointOp,
    cotangents: Sequence[SSAValue | None],
    needs: Sequence[bool],
) -> Sequence[SSAValue | None]:
    """The cotangents of the operands of a checkpointed body: it is computed once more, once cotangents are known."""
    builder.location = gradient_of(op.location)
    known = [k for k, ct in enumerate(cotangents) if ct is not None]
    behind = builder.barrier([*op.xs, *(ct for ct in cotangents if ct is not None)])
    xs, seeds = behind[: len(op.xs)], behind[len(op.xs) :]
    results = copy_body(op, xs, builder.block, builder.anchor)
    summed: dict[SSAValue, SSAValue] = {}
    found: dict[SSAValue, SSAValue] = {}
    for k, seed in zip(known, seeds, strict=True):
        target = summed if results[k] not in xs else found  # what the body hands through needs no way back
        target[results[k]] = builder.add(target[results[k]], seed) if results[k] in target else seed
    wanted = [x for x, need in zip(xs, needs, strict=True) if need]
    if summed and wanted:
        for x, gradient in zip(wanted, engine.reverse(builder, summed, wanted), strict=True):
            if gradient is not None:
                found[x] = builder.add(found[x], gradient) if x in found else gradient
    return [found.get(x) for x in xs]


def _materialized(builder: IRBuilder, op: Operation, cotangents: Sequence[SSAValue | None]) -> list[SSAValue]:
    return [
        ct if ct is not None else builder.constant(0.0, *static_spec(op, result))
        for ct, result in zip(cotangents, op.results, strict=True)
    ]


BODIES: dict[type[Operation], BodyRule] = {
    CustomGradientOp: custom_gradient,
    CheckpointOp: checkpoint_gradient,
    ScanOp: scan_gradient,
}
