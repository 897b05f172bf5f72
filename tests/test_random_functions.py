"""Random functions of tensors, views, writes in place and gradients: compiled ones do exactly what eager ones do."""

from __future__ import annotations

import os
import random

import irtool
import numpy as np
import pytest
from irtool import nn

TARGET = os.environ.get("IRTOOL_TEST_TARGET", "reference")
GRADIENT = "gradient"
STATE = ("c0", "c1", "p0", "p1")
VIEWS = ("[1:3]", "[:, 1:]", "[2]", ".t()", "[:]", ".view(-1)", ".reshape(3, 4)")


def generate(seed, inside):
    """The source of a function of two tensors and a number, which uses c0, c1, p0 and p1 from outside."""
    choose = random.Random(seed)
    alive = ["a0", "a1", *STATE]
    body = []

    def define(expression):
        name = f"t{len(body)}"
        body.append([f"{name} = {expression}"])
        return name

    def unrecorded(statement):
        body.append(["with irtool.no_grad():", f"    {statement}"])

    def step(kind, a, b):
        match kind:
            case "binary":
                alive.append(define(f"{a} {choose.choice('+-*')} {b}"))
            case "number":
                alive.append(define(f"{a} * s + 0.5"))
            case "reduce":
                alive.append(define(f"({a} * {a}).sum() + {b}"))
            case "clone" | "detach":
                alive.append(define(f"{a}.{kind}()"))
            case "in place":
                unrecorded(f"{a}.{choose.choice(['add_', 'mul_', 'copy_', 'sub_'])}({b} * 0.5)")
            case "view":
                unrecorded(f"{define(a + choose.choice(VIEWS))}.add_({choose.choice(['1.0', 's'])})")
            case "item":
                unrecorded(f"{a}[{choose.choice(['0', '1:3', ':, 2'])}] = {choose.choice(['2.0', 's', b + '[0, 0]'])}")
            case _:
                body.append([f"({a} * {b} * p0 + p1 * p1).sum().backward()"])
                if choose.random() < 0.3:
                    body.append(["p0.grad = None"])
                if choose.random() < 0.3:
                    alive.append(define("p1.grad * 2"))

    kinds = [
        "binary",
        "binary",
        "number",
        "reduce",
        "clone",
        "detach",
        "in place",
        "in place",
        "view",
        "item",
        GRADIENT,
    ]
    if not inside:
        kinds.remove(GRADIENT)
    for _ in range(choose.randint(3, 10)):
        step(choose.choice(kinds), choose.choice(alive), choose.choice(alive))
    results = choose.sample(alive, choose.randint(1, 4))
    lines = [f"    {line}" for lines in body for line in lines]
    return "\n".join(["def f(a0, a1, s):", *lines, f"    return [{', '.join(results)}]", ""])


def observe(results, arguments, scope):
    """Everything that a caller can see: values, gradients, and which tensors share memory."""
    tensors = [*results, *arguments, *(scope[name] for name in STATE)]
    values = [t.detach().numpy().copy() for t in tensors]
    values += [np.zeros(0) if scope[n].grad is None else scope[n].grad.numpy().copy() for n in STATE]
    numbers = {}
    return values, [numbers.setdefault(id(t._storage), len(numbers)) for t in tensors]


def run(source, compiled, inside):
    irtool.manual_seed(0)
    scope = {"irtool": irtool}
    scope |= {name: irtool.randn(4, 3) for name in ("c0", "c1")}
    scope |= {name: nn.Parameter(irtool.randn(4, 3)) for name in ("p0", "p1")}
    x, y, data = irtool.randn(4, 3), irtool.randn(4, 3), irtool.randn(8, 3)
    exec(compile(source, "<random function>", "exec"), scope)
    f = irtool.compile(scope["f"], target=TARGET) if compiled else scope["f"]
    calls = [(x, y), (x, y), (data[0:4], y), (x, x), (data[0:4], data[2:6]), (scope["c0"], y)]
    seen = []
    for number, arguments in enumerate(calls):
        results = f(*arguments, 0.5 / (number + 1))
        losses = [(r * r).sum() for r in results if r.requires_grad]
        if losses and not inside:
            sum(losses).backward()
        seen.append(observe(results, arguments, scope))
    return seen


@pytest.mark.parametrize("inside", [True, False], ids=["backward inside", "backward outside"])
@pytest.mark.parametrize("seed", range(50))
def test_compiled_does_what_eager_does(seed, inside):
    source = generate(seed, inside)
    try:
        eager = run(source, False, inside)
    except RuntimeError as error:
        # Compiled functions need no rule against overwriting what a gradient is still to be taken of.
        assert "modified by an inplace operation" in str(error) or "a second time" in str(error)
        return
    for number, (expected, given) in enumerate(zip(eager, run(source, True, inside), strict=True)):
        for a, b in zip(expected[0], given[0], strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5, err_msg=f"call {number} of\n{source}")
        assert given[1] == expected[1], f"memory shared otherwise in call {number} of\n{source}"
