"""Extents that are not known: ops accept them; passes keep them, or say at the op's line that they must know them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from irtool.dialects.hl import OPS
from irtool.dialects.hl.base import ShapeError
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.text import make_context, parse_module, print_op
from irtool.dialects.types import DYNAMIC, TensorSpec, UnknownExtent, spec_of, tensor_type
from irtool.passes import pass_by_name
from irtool.passes.hl.gradients import REFUSED
from irtool.passes.pass_base import PassError
from irtool.passes.pipeline import CPU
from irtool.passes.verify import verify
from irtool.tools.cli import main
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from .samples import SAMPLES
from .samples.core import Op, Sample

FORGET: dict[str, Callable[[tuple[int, ...]], tuple[int, ...]]] = {
    "all": lambda shape: tuple(DYNAMIC for _ in shape),
    "first": lambda shape: (DYNAMIC, *shape[1:]) if shape else (),
    "last": lambda shape: (*shape[:-1], DYNAMIC) if shape else (),
}


def module_of(op: Op, sample: Sample, unknown: str, differentiated: bool) -> ModuleOp:
    """A function that applies the op, and takes the derivative of its first result by all operands."""
    specs = [TensorSpec(FORGET[unknown](spec.shape), spec.dtype) for spec in sample.specs]
    block = Block(arg_types=[tensor_type(spec) for spec in specs])
    b = IRBuilder(block)
    results: list[SSAValue] = list(b.emit(op, list(block.args), sample.attributes))
    floats = [argument for argument, spec in zip(block.args, specs) if spec.dtype.kind == "float"]
    first = spec_of(results[0].type)
    if differentiated and floats and first.dtype.kind == "float":
        results += b.gradient(b.reduce_sum(results[0], tuple(range(len(first.shape)))), floats)
    b.insert(ReturnOp(*results))
    signature = FunctionType.from_lists(list(block.arg_types), [v.type for v in results])
    return ModuleOp([FuncOp("f", signature, Region(block))])


@pytest.mark.parametrize("unknown", FORGET)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_op(op: Op, unknown: str) -> None:
    """Through the passes on hl: each keeps a valid program, or fails because of what it cannot know."""
    for sample in SAMPLES[op][:3]:
        for differentiated in (False, op not in REFUSED):
            try:
                module = module_of(op, sample, unknown, differentiated)
            except ShapeError:  # attributes that do not fit what is known
                continue
            text = print_op(module)
            assert print_op(parse_module(text)) == text
            try:
                for name in CPU[0].passes:
                    pass_by_name(name)().apply(make_context(), module)
                    verify(module)
                assert str(1 << 63) not in print_op(module), "the number that stands for `?`"
                pass_by_name("group")().apply(make_context(), module)
            except PassError as error:
                assert "static shape" in error.message, error.message
            else:
                assert "?" not in text


def test_nothing_is_computed_from_an_unknown_extent() -> None:
    assert DYNAMIC in (3, DYNAMIC) and DYNAMIC != 3 and DYNAMIC < 0
    for compute in (
        lambda: DYNAMIC + 1,
        lambda: 2 * DYNAMIC,
        lambda: -DYNAMIC,
        lambda: 1 / DYNAMIC,
        lambda: DYNAMIC // 2,
        lambda: float(DYNAMIC),
        lambda: int(DYNAMIC),
        lambda: sum((4, DYNAMIC)),
    ):
        with pytest.raises(UnknownExtent, match="expected a static shape"):
            compute()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "%0 = hl.exp %x : tensor<4x?xf32>",
            ":1:1: error: argument 0 of @f: expected a static shape, got tensor<4x?xf32>",
        ),
        (
            "%0 = hl.slice %x from [0, 0] to [2, 3] by [1, 1] : tensor<4x?xf32> -> tensor<2x3xf32>\n"
            "  %l = hl.reduce_sum %0 over [0, 1] : tensor<2x3xf32> -> tensor<f32>\n"
            "  %g = hl.gradient %l wrt %x : tensor<4x?xf32>",
            ":2:3: error: hl.slice: its gradient needs static shapes, got tensor<4x?xf32>",
        ),
    ],
)  # fmt: skip
def test_the_command_line_names_the_place(body: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "dynamic.mlir"
    path.write_text(
        f"func.func @f(%x: tensor<4x?xf32>) -> tensor<4x?xf32> {{\n  {body}\n  func.return %x : tensor<4x?xf32>\n}}\n"
    )
    assert CliRunner().invoke(main, ["opt", str(path)]).exit_code == 0
    for command in (["opt", "--stop-after", "loops"], ["translate"]):
        result = CliRunner().invoke(main, [*command, str(path)])
        assert result.exit_code == 1 and f"{path}{message}" in result.stderr, result.stderr
