"""Walks the hl dialect: every op has a meaning, a gradient, a way down and samples, or a reason why not."""

from __future__ import annotations

import inspect

import pytest
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.hl import autodiff as a
from irtool.dialects.hl import shape as s
from irtool.dialects.hl.builder import OpBuilder
from irtool.dialects.reference import NO_REFERENCE, REFERENCE
from irtool.passes import PASSES
from irtool.passes.hl.decompositions import DECOMPOSITIONS
from irtool.passes.hl.gradients import GRADIENTS, NO_GRADIENT
from irtool.passes.hl.index_maps import MAPS
from irtool.passes.linalg.lowering.scalar import SCALAR
from irtool.passes.linalg.lowering.structured import STRUCTURED

from .samples import SAMPLES

REPLACED: dict[type[HLOp], str] = {
    a.GradientOp: "differentiate",
    a.VariableOp: "differentiate",
    a.StopGradientOp: "differentiate",
    a.BarrierOp: "drop-barriers",
    s.ConstantOp: "convert-hl-to-linalg",
    s.IotaOp: "convert-hl-to-linalg",
}
"""Ops that a pass deals with by name rather than by a table: by which."""
EVERY_OP = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


@EVERY_OP
def test_reference(op: type[HLOp]) -> None:
    assert (op in REFERENCE) != bool(NO_REFERENCE.get(op)), f"{op.name} needs a row in dialects/reference, or a reason"


@EVERY_OP
def test_gradient(op: type[HLOp]) -> None:
    assert (op in GRADIENTS) != bool(NO_GRADIENT.get(op)), f"{op.name} needs a row in passes/hl/gradients, or a reason"


@EVERY_OP
def test_lowering(op: type[HLOp]) -> None:
    ways = [op in table for table in (DECOMPOSITIONS, SCALAR, STRUCTURED, MAPS, REPLACED)]
    assert any(ways), f"{op.name} needs a row in passes/hl/decompositions or passes/linalg/lowering"
    assert REPLACED.get(op, "cse") in PASSES


@EVERY_OP
def test_samples(op: type[HLOp]) -> None:
    assert SAMPLES[op] or op in NO_REFERENCE, f"{op.name} needs a row in tests/samples"


@EVERY_OP
def test_differentiable_samples(op: type[HLOp]) -> None:
    if op in GRADIENTS and op in REFERENCE:
        assert any(sample.differentiable for sample in SAMPLES[op]), f"{op.name} needs a sample to differentiate"


@EVERY_OP
def test_builder_method(op: type[HLOp]) -> None:
    method = getattr(OpBuilder, op.name.removeprefix("hl."), None)
    assert inspect.isfunction(method), f"{op.name} needs a method of OpBuilder"


def test_tables_speak_of_existing_ops_only() -> None:
    for table in (REFERENCE, NO_REFERENCE, GRADIENTS, NO_GRADIENT, DECOMPOSITIONS, SCALAR, STRUCTURED, MAPS):
        assert not set(table) - set(OPS)


def test_shapes_and_element_types_are_covered() -> None:
    """Together the samples have ranks 0 to 4, extents 0 and 1, and every element type."""
    specs = [spec for samples in SAMPLES.values() for sample in samples for spec in sample.specs]
    assert {len(spec.shape) for spec in specs} >= {0, 1, 2, 3, 4}
    assert {n for spec in specs for n in spec.shape} >= {0, 1}
    assert {spec.dtype.name for spec in specs} == {"f32", "f64", "i64", "i32", "u8", "i1"}
