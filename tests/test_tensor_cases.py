"""The cases of tensor_cases: eager as recorded from PyTorch, traced as eager, and live where PyTorch is installed."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import warnings
from pathlib import Path
from typing import Any

import irtool
import pytest

from .tensor_cases import FAMILIES, error_name, form, inputs, run, same

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "tensor_cases" / "golden.json").read_text())

NOT_TRACED = ("repr(", "n_=np", "hook", "retain_grad()", "grad(y.sum(),y)", "x.exp(); y.add_")
"""What means something else in a compiled function: printing, numpy arrays behind the compiler's back, hooks, gradients
by computed tensors; and autograd's check for overwritten values, which pure values do not need."""


@pytest.mark.parametrize("family", FAMILIES)
def test_as_recorded_from_pytorch(family: str) -> None:
    wrong = [case for case in FAMILIES[family] if not same(run(irtool, case), GOLDEN[case])]
    assert not wrong, "\n".join(f"{case}: {run(irtool, case)}, expected {GOLDEN[case]}" for case in wrong)


def test_every_case_is_recorded() -> None:
    assert list(GOLDEN) == [case for family in FAMILIES.values() for case in family]


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("printing", "refused")])
def test_traced_as_eager(family: str) -> None:
    wrong: list[str] = []
    for case in FAMILIES[family]:
        if any(part in case for part in NOT_TRACED):
            continue
        eager, traced = _called(case, compiled=False), _called(case, compiled=True)
        if isinstance(traced, dict) and traced.get("error") == "untraceable":
            continue
        if not same(eager, traced):
            wrong.append(f"{case}: {traced}, eager {eager}")
    assert not wrong, "\n".join(wrong)


def _called(case: str, compiled: bool) -> Any:
    """A case as the body of a function of the inputs it names: its result, and the inputs afterwards."""
    names = inputs(irtool)
    lines = case.split("; ") if "; " in case else [f"out = {case}"]
    used = [n for n, v in names.items() if isinstance(v, irtool.Tensor) and re.search(rf"\b{n}\b", case)]
    body = "".join(f"    {line}\n" for line in [*lines, "return out"])
    exec(f"def function({', '.join(used)}):\n{body}", names)
    function = irtool.compile(names["function"], target="reference") if compiled else names["function"]
    try:
        return [form(irtool, function(*(names[n] for n in used))), [form(irtool, names[n]) for n in used]]
    except Exception as error:
        return {"error": "untraceable" if "needs the value" in str(error) else error_name(error)}


# Live


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_binary_operators_against_pytorch() -> None:
    import torch

    operators = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", "&", "|", "^"]
    operands = ["a", "v", "c", "d64", "i", "j", "i32", "u8", "m", "s", "si", "s64", "2", "2.5", "-3"]
    numbers = {"2", "2.5", "-3"}
    wrong: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x, operator, y in itertools.product(operands, operators, operands):
            case = f"({x}) {operator} ({y})"
            if {x, y} <= numbers or x == y:
                continue
            expected, found = run(torch, case), run(irtool, case)
            # PyTorch raises for integers divided by zero, and has no powers of bools.
            if not same(expected, found) and not (isinstance(expected, dict) and "error" in expected):
                wrong.append(f"{case}: {found}, expected {expected}")
    assert not wrong, "\n".join(wrong)
