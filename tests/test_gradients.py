"""Gradients against finite differences, of every op and of their gradients, in f64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.reference import NO_REFERENCE, evaluate
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.types import f64, spec_of, tensor_type
from irtool.passes.hl.differentiate import expand_gradients
from irtool.passes.hl.gradients import GRADIENTS, NO_GRADIENT, REFUSED
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from .samples import SAMPLES
from .samples.core import Array, Sample

STEP = 1e-5
TOLERANCE = 2e-5


def weights(arrays: Sequence[Array], seed: int) -> list[Array]:
    """A random cotangent for each array of type f64."""
    g = np.random.default_rng(seed)
    return [g.uniform(0.5, 1.5, a.shape) for a in arrays if a.dtype == np.float64]


def weighted(b: IRBuilder, values: Sequence[SSAValue], factors: Sequence[Array]) -> SSAValue:
    """The sum of all floating-point values, each element by its factor."""
    floats = [v for v in values if spec_of(v.type).dtype is f64]
    total = b.constant(0.0, (), f64)
    for value, factor in zip(floats, factors, strict=True):
        product = b.mul(value, b.constant(factor, factor.shape, f64))
        total = b.add(total, b.reduce_sum(product, tuple(range(factor.ndim))))
    return total


class Gradients:
    """@f(operands) -> gradients of the weighted sum of an op's results, gradients of the weighted sum of those."""

    def __init__(self, op: type[HLOp], sample: Sample) -> None:
        results = evaluate(op, sample.arrays, sample.attributes)
        block = Block(arg_types=[tensor_type(spec) for spec in sample.specs])
        b = IRBuilder(block)
        self.wrt = [i for i, a in enumerate(sample.arrays) if a.dtype == np.float64]
        self.factors = weights(results, 1)
        self.second_factors = weights(sample.arrays, 2)
        xs = [block.args[i] for i in self.wrt]
        loss = weighted(b, b.emit(op, block.args, sample.attributes), self.factors)
        first = b.gradient(loss, xs)
        second = b.gradient(weighted(b, first, self.second_factors), xs)
        types = [v.type for v in (*first, *second)]
        b.insert(ReturnOp(*first, *second))
        self.function = FuncOp("f", FunctionType.from_lists(list(block.arg_types), types), Region(block))
        self.module = ModuleOp([self.function])
        expand_gradients(self.function)
        self.module.verify()

    def __call__(self, arrays: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """First and second gradients, per operand of type f64."""
        with np.errstate(all="ignore"):
            values = interpret(self.function, arrays)
        return values[: len(self.wrt)], values[len(self.wrt) :]


def moved(arrays: Sequence[Array], i: int, direction: Array) -> list[Array]:
    return [a + direction if n == i else a for n, a in enumerate(arrays)]


def total(values: Sequence[Array], factors: Sequence[Array]) -> float:
    return sum(float(np.sum(v * f)) for v, f in zip(values, factors, strict=True))


def differentiable(op: type[HLOp]) -> list[Sample]:
    return [sample for sample in SAMPLES[op] if sample.differentiable and op not in REFUSED]


def floats(values: Sequence[Array]) -> list[Array]:
    return [v for v in values if v.dtype == np.float64]


@pytest.mark.parametrize("op", [op for op in OPS if op in SAMPLES and differentiable(op)], ids=lambda op: op.name)
def test_finite_differences(op: type[HLOp]) -> None:
    for sample in differentiable(op):
        gradients = Gradients(op, sample)
        first, second = gradients(sample.arrays)
        for n, i in enumerate(gradients.wrt):
            x = sample.arrays[i]
            expected = np.zeros_like(x)
            for index in np.ndindex(x.shape):
                step = np.zeros_like(x)
                step[index] = STEP
                up, down = (
                    total(floats(evaluate(op, moved(sample.arrays, i, s), sample.attributes)), gradients.factors)
                    for s in (step, -step)
                )
                expected[index] = (up - down) / (2 * STEP)
            np.testing.assert_allclose(first[n], expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=str(sample))

            direction = np.random.default_rng(3).uniform(-1, 1, x.shape) * STEP
            up, down = (
                total(gradients(moved(sample.arrays, i, d))[0], gradients.second_factors)
                for d in (direction, -direction)
            )
            along = float(np.sum(second[n] * direction)) / STEP
            np.testing.assert_allclose(along, (up - down) / (2 * STEP), rtol=1e-4, atol=1e-4, err_msg=str(sample))


def test_every_op_has_a_rule_or_a_reason() -> None:
    missing = [op.name for op in OPS if op not in GRADIENTS and op not in NO_GRADIENT]
    assert not missing
    assert not set(GRADIENTS) & set(NO_GRADIENT)
    assert all(NO_GRADIENT.values())


def test_every_rule_is_tried() -> None:
    tried = {op for op in OPS if op in SAMPLES and differentiable(op)}
    assert not [op.name for op in GRADIENTS if op not in tried and op not in NO_REFERENCE]


KINKS: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("hl.relu", ([0.0, -0.0, 1.0],), ([0.0, 0.0, 1.0],)),
    ("hl.abs", ([0.0, -2.0],), ([0.0, -1.0],)),
    ("hl.maximum", ([1.0, 2.0], [1.0, 3.0]), ([0.5, 0.0], [0.5, 1.0])),
    ("hl.minimum", ([1.0, 2.0], [1.0, 3.0]), ([0.5, 1.0], [0.5, 0.0])),
    ("hl.pow", ([0.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 2.0]), ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, np.log(2), 0.0])),
    ("hl.sqrt", ([0.0, 4.0],), ([np.inf, 0.25],)),
    ("hl.sign", ([0.0, 2.0],), ([0.0, 0.0],)),
]


@pytest.mark.parametrize(("name", "arrays", "expected"), KINKS, ids=[row[0] for row in KINKS])
def test_kinks(name: str, arrays: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    """PyTorch's conventions where there is no derivative."""
    inputs = tuple(np.asarray(a) for a in arrays)
    gradients = Gradients(next(op for op in OPS if op.name == name), Sample(inputs))
    with np.errstate(all="ignore"):
        found = [g / gradients.factors[0] for g in gradients(inputs)[0]]
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(have, want)


def test_ties_share() -> None:
    """Equal maxima share the gradient evenly, as in torch.amax; a product of zeros is differentiated too."""
    by_name = {op.name: op for op in OPS}
    x = np.array([1.0, 3.0, 3.0, 2.0])
    gradients = Gradients(by_name["hl.reduce_max"], Sample((x,), {"dimensions": (0,)}))
    np.testing.assert_allclose(gradients([x])[0][0] / gradients.factors[0], [0, 0.5, 0.5, 0])
    for zeros, want in (([2.0, 0.0, 4.0], [0, 8, 0]), ([0.0, 0.0, 4.0], [0, 0, 0])):
        x = np.array(zeros)
        gradients = Gradients(by_name["hl.reduce_prod"], Sample((x,), {"dimensions": (0,)}))
        np.testing.assert_allclose(gradients([x])[0][0] / gradients.factors[0], want)
