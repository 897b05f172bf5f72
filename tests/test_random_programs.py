"""A sample of the random programs that `make fuzz` has 10,000 of: eager and compiled, nobody sees a difference."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import Tensor

from .random_programs.__main__ import judged
from .random_programs.compare import Raised, close, differences
from .random_programs.generate import Program, generate
from .random_programs.shrink import shrink

CHUNK = 30


def check(numbers: range, target: str) -> None:
    """All programs of these numbers do the same compiled as eagerly."""
    refused = 0
    for number in numbers:
        program = generate(number)
        verdict = judged(program, target)
        refused += bool(verdict.refused)
        assert not verdict.differences, "\n".join([program.text(), *verdict.differences])
    assert refused < len(numbers) / 2


@pytest.mark.parametrize("first", range(0, 300, CHUNK))
def test_by_the_reference_meanings(first: int) -> None:
    check(range(first, first + CHUNK), "reference")


def test_by_generated_c() -> None:
    check(range(300, 312), "cpu")


def test_generated_programs_are_those_of_their_number() -> None:
    assert generate(7).text() == generate(7).text() != generate(8).text()


# The comparison itself finds what differs.


def differing(eager: str, compiled: str) -> list[str]:
    """What is found where a compiled function does something else."""
    program = Program(
        0,
        ("values((2, 3), 1)",),
        "torch.optim.SGD(ps, lr=0.1)",
        (f"v = {eager} if not torch.compiler.is_compiling() else {compiled}",),
        "v, a0",
        1,
    )
    return judged(program, "reference").differences


@pytest.mark.parametrize(
    ("eager", "compiled", "what"),
    [
        ("a0 + 1", "a0 + 1.001", "out[0]"),
        ("a0 * 1", "a0.double()", "out[0]"),
        ("a0.t()", "a0.t() * 1", "writing to"),
        ("a0.sum()", "m.weight.sum()", "out[0]"),
        ("m.count", "m.count + 1", "out[0]"),
        ("a0.add_(1)", "a0.add(1)", "args[0]"),
        ("1 / 0", "[][1]", "eager raised ZeroDivisionError"),
        ("a0 * 1", "torch.rand(2, 3) * 0 + a0", "random"),
    ],
)
def test_a_difference_is_found(eager: str, compiled: str, what: str) -> None:
    found = differing(eager, compiled)
    assert any(what in text for text in found), found


def test_rounding_and_denormals_are_no_difference() -> None:
    one = np.array([1.0, 1e-40, np.nan, np.inf], np.float32)
    assert close(one, np.array([1.0 + 1e-6, 0, np.nan, np.inf], np.float32))
    assert not close(one, np.array([1.01, 0, np.nan, np.inf], np.float32))
    assert not close(one, np.array([1.0, 0, 0, np.inf], np.float32))
    assert differences({"backward outside": None}, {"backward outside": Raised(RuntimeError("no"))})


def adding_one_and_raising(first: str) -> Program:
    body = (first, "a0.add_(1)", "raise ValueError")
    return Program(0, ("values((2, 3), 1)",), "torch.optim.SGD(ps, lr=0.1)", body, "a0", 1)


def test_a_call_that_ran_uncompiled_leaves_what_it_did_before_it_raised() -> None:
    drawing = adding_one_and_raising("places((1,), 2, 0)")  # from a generator of numpy's, of which is no program
    for program in (drawing, adding_one_and_raising("pass")):
        assert judged(program, "reference").differences == []


@pytest.mark.parametrize(
    ("warning", "amount", "differs"),
    [("", -1, False), ("", 0, True), ("calls of f run uncompiled", 0, False), ("calls of f run uncompiled", 1, True)],
)
def test_what_is_left_by_a_call_that_raised(
    monkeypatch: pytest.MonkeyPatch, warning: str, amount: int, differs: bool
) -> None:
    def compile(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        def call(x: Tensor, *others: Any) -> Any:
            if warning:
                warnings.warn(warning, stacklevel=1)
            try:
                return function(x, *others)
            finally:
                x.add_(amount)

        return call

    monkeypatch.setattr(irtool, "compile", compile)
    found = judged(adding_one_and_raising("pass"), "reference").differences
    assert bool(found) == differs, found


def test_a_failing_program_is_shrunk_to_what_fails() -> None:
    program = generate(3)
    assert len(program.body) > 3
    wanted = program.body[2]
    small = shrink(program, lambda p: wanted in p.body)
    assert small.body == (wanted,) and small.calls == 1
