"""Ops that go along one dimension: destination-passing operations of linalgx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xdsl.ir import SSAValue

from ....dialects.hl import sequence
from ....dialects.hl.base import HLOp
from ....dialects.linalgx import CumulateOp, SortOp
from .builder import KernelBuilder

KINDS: dict[type[HLOp], str] = {
    sequence.CumsumOp: "sum",
    sequence.CumprodOp: "product",
    sequence.RecurrenceOp: "recurrence",
}


def cumulate(low: KernelBuilder, op: HLOp, *xs: Any, dimension: int, reverse: bool) -> list[SSAValue]:
    inputs = [low.stored(x, low.spec(operand)) for x, operand in zip(xs, op.operands)]
    outputs = [low.destination(op.results[0])]
    new = CumulateOp.of(inputs, outputs, kind=KINDS[type(op)], dimension=dimension, reverse=reverse)
    return list(low.emitter.insert(low.located(new)).results)


def sort(low: KernelBuilder, op: HLOp, x: Any, *, dimension: int, descending: bool) -> list[SSAValue]:
    inputs = [low.stored(x, low.spec(op.operands[0]))]
    outputs = [low.destination(result) for result in op.results]
    new = SortOp.of(inputs, outputs, dimension=dimension, descending=descending)
    return list(low.emitter.insert(low.located(new)).results)


SEQUENTIAL: dict[type[HLOp], Callable[..., list[SSAValue]]] = {**dict.fromkeys(KINDS, cumulate), sequence.SortOp: sort}
