"""Who sees a write, for every function that makes views and every kind of memory: as in PyTorch, in both modes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import irtool
import pytest

from .aliasing import cases

GOLDEN: dict[str, dict[str, str]] = json.loads((Path(cases.__file__).parent / "golden.json").read_text())
OVERLAPPING = ("x.unfold(-1, 2, 1)",)
"""Elements that share a place of the memory: PyTorch writes to it several times, in no order; we refuse to."""
MODES: dict[str, Callable[..., Any]] = {
    "eager": lambda f, *args: f(*args),
    "compiled": lambda f, *args: irtool.compile(f, target="reference")(*args),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("base", cases.BASES)
@pytest.mark.filterwarnings("ignore")
def test_who_sees_a_write(base: str, mode: str) -> None:
    wanted = {f: text for f, text in GOLDEN[base].items() if f not in OVERLAPPING}
    if mode == "compiled":
        del wanted["x[x > -1]"]  # its shape depends on values
    got = dict(zip(wanted, cases.observed(irtool, base, list(wanted), MODES[mode]), strict=True))
    assert got == wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("base", ("matrix", "turned", "cube"))
@pytest.mark.filterwarnings("ignore")
def test_writes_to_elements_that_share_a_place_are_refused(base: str, mode: str) -> None:
    for text in cases.observed(irtool, base, list(OVERLAPPING), MODES[mode]):
        assert text.split("]")[1].split()[1:3] == ["RuntimeError", "RuntimeError"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore")
def test_elements_apart_from_each_other_in_windows_that_overlap(mode: str) -> None:
    x = irtool.arange(12.0).view(4, 3).clone()
    MODES[mode](lambda x: x.unfold(0, 2, 1).diagonal().zero_(), x)
    assert x.tolist() == [[0, 1, 2], [0, 0, 5], [6, 0, 0], [9, 10, 0]]
