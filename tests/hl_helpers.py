"""Programs around single hl ops, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from irtool.dialects.hl import HLOp
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.text import make_context, parse_module
from irtool.dialects.types import tensor_type
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from .samples import Sample

CONTEXT = make_context()
"""One for all tests: it loads a dialect when it first meets it."""


def function_of(op: type[HLOp], samples: list[Sample]) -> ModuleOp:
    """A function that applies an op to arguments, once for each sample."""
    block = Block()
    b = IRBuilder(block)
    for sample in samples:
        operands = [block.insert_arg(tensor_type(spec), len(block.args)) for spec in sample.specs]
        b.emit(op, operands, sample.attributes)
    block.add_op(ReturnOp())
    return ModuleOp([FuncOp("main", (block.arg_types, ()), Region(block))])


def parse_body(body: str) -> ModuleOp:
    arguments = "%x: tensor<2x3xf32>, %i: tensor<2xi64>, %s: tensor<f32>, %n: i64"
    return parse_module(f"func.func @main({arguments}) {{\n{body}\nfunc.return\n}}", "bad.mlir", CONTEXT)


def same(x: Any, y: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    return type(x) is type(y) and (x == y or x != x)
