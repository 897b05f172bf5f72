"""Programs of one line, run on irtool, on PyTorch, and traced: values, dtypes, shapes, gradients and printed forms.

A case is an expression, or statements with `; ` between them that leave their result in `out`. `torch` names the
package under test; the other names are the inputs below.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

FAMILIES: dict[str, tuple[str, ...]] = {
    path.stem: tuple(path.read_text().splitlines()) for path in sorted(Path(__file__).parent.glob("*.txt"))
}
"""One file a family, one case a line."""


def inputs(torch: Any) -> dict[str, Any]:
    """New tensors by the names that cases use."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return torch.tensor(random.standard_normal(shape).astype(np.float32))

    def integers(low: int, high: int, dtype: Any) -> Any:
        return torch.tensor(random.integers(low, high, (3, 4)).astype(dtype))

    named = {"a": normal(3, 4), "b": normal(3, 4), "v": normal(4), "c": normal(2, 3, 4)}
    named["p"] = named["a"].abs() + 0.1
    named["d64"] = torch.tensor(random.standard_normal((3, 4)))
    named["i"], named["j"] = integers(-5, 5, np.int64), integers(1, 5, np.int64)
    named["i32"], named["u8"] = integers(-5, 5, np.int32), integers(0, 255, np.uint8)
    named["m"], named["n"] = integers(0, 2, bool), integers(0, 2, bool)
    named["s"], named["si"], named["s64"] = torch.tensor(2.5), torch.tensor(3), torch.tensor(2.5, dtype=torch.float64)
    named["x5"] = normal(5, 5)
    named["idx"], named["idx2"] = torch.tensor([2, 0, 1]), torch.tensor([[0, 1], [2, 0]])
    named["e"] = torch.zeros(0, 3)
    named["spec"] = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-30, 1e30, -1.5])
    return {**named, "inf": math.inf, "nan": math.nan, "np": np, "torch": torch}


def run(torch: Any, case: str) -> Any:
    """What a case gives, in a form that JSON can hold; {"error": type} for an exception."""
    names = inputs(torch)
    try:
        if "; " in case:
            exec(case.replace("; ", "\n"), names)
            return form(torch, names["out"])
        return form(torch, eval(case, names))
    except Exception as error:
        return {"error": error_name(error)}


def error_name(error: Exception) -> str:
    """The kind of an exception. PyTorch's messages differ too much from build to build to compare."""
    return "RuntimeError" if isinstance(error, RuntimeError) else type(error).__name__


def form(torch: Any, value: Any) -> Any:
    """A result as JSON."""
    if isinstance(value, torch.Tensor):
        array = value.detach().numpy()
        flat = [number(x) for x in array.reshape(-1).tolist()]
        return {"dtype": str(array.dtype), "shape": list(array.shape), "values": flat}
    if isinstance(value, np.ndarray):
        return [number(x) for x in value.reshape(-1).tolist()]
    if isinstance(value, tuple | list):
        return [form(torch, x) for x in value]
    if isinstance(value, str) or type(value).__name__ == "dtype" or type(value).__name__ == "DType":
        return str(value).replace("torch.", "").replace("irtool.", "")
    return number(value)


def number(value: Any) -> Any:
    """A float with six digits, as text where JSON has no number for it."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value


def same(x: Any, y: Any) -> bool:
    """Whether two results are equal, floats up to rounding."""
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[k], y[k]) for k in x)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(same, x, y))
    if isinstance(x, float) and isinstance(y, float):
        return math.isclose(x, y, rel_tol=5e-5, abs_tol=2e-6)
    return x == y
