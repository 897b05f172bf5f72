"""Every decomposition against the reference meaning of the op it takes apart."""

from __future__ import annotations

import numpy as np
import pytest
from irtool.dialects.hl import HLOp
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.reference import evaluate
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.types import tensor_type
from irtool.passes.hl.decompose import Decompose
from irtool.passes.hl.decompositions import DECOMPOSITIONS
from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from .samples import SAMPLES


@pytest.mark.parametrize("op", DECOMPOSITIONS, ids=lambda op: op.name)
def test_same_meaning(op: type[HLOp]) -> None:
    assert SAMPLES[op]
    for sample in SAMPLES[op]:
        block = Block(arg_types=[tensor_type(spec) for spec in sample.specs])
        b = IRBuilder(block)
        results = b.emit(op, block.args, sample.attributes)
        b.insert(ReturnOp(*results))
        types = FunctionType.from_lists(list(block.arg_types), [v.type for v in results])
        function = FuncOp("f", types, Region(block))
        module = ModuleOp([function])
        Decompose().apply(Context(), module)
        module.verify()
        assert not [o.name for o in module.walk() if type(o) in DECOMPOSITIONS]
        with np.errstate(all="ignore"):
            found = interpret(function, sample.arrays)
        for have, want in zip(found, evaluate(op, sample.arrays, sample.attributes), strict=True):
            sample.check(have, want)
