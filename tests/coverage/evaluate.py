"""Evaluates the expressions on one package, in a process of its own: python evaluate.py torch|irtool results.pickle"""

from __future__ import annotations

import importlib
import pickle
import sys
import warnings
from typing import Any

import cases
import numpy as np

LAYOUTS = {
    "": lambda t: t,
    "t": lambda t: t.t(),
    "step": lambda t: t[:, ::2],
    "expand": lambda t: t.expand(2, *t.shape[1:]),
}


def plain(value: Any) -> Any:
    """A result as numpy arrays and plain values."""
    if hasattr(value, "detach"):
        return ("tensor", str(value.dtype).split(".")[-1], value.detach().numpy().copy())
    if isinstance(value, (list, tuple)) and type(value).__name__ != "Size":
        return [plain(v) for v in value]
    return (
        list(value)
        if type(value).__name__ == "Size"
        else value
        if isinstance(value, (int, float))
        else str(value).split(".")[-1]
    )


def first_floats(value: Any) -> list[Any]:
    """The tensors among the results that gradients come back from."""
    if hasattr(value, "requires_grad"):
        return [value] if value.requires_grad else []
    return [t for v in value for t in first_floats(v)] if isinstance(value, (list, tuple)) else []


def evaluate(T: Any, F: Any, expression: str, given: cases.Inputs) -> Any:
    """(results, gradients), or ("error", type)."""
    leaves: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for name, (array, layout) in given.items():
        leaf = leaves[name] = T.from_numpy(array.copy())
        if array.dtype.kind == "f":
            leaf.requires_grad_()
        tensors[name] = LAYOUTS[layout](leaf)
    try:
        result = eval(expression, {"T": T, "F": F, **tensors})
        values = plain(result)
    except AttributeError as error:
        return ("missing", str(error))
    except Exception as error:
        return ("error", type(error).__name__, str(error))
    try:
        gradients: Any = {}
        outputs = first_floats(result)
        if outputs:
            total = sum((y * (1 + T.arange(y.numel()).reshape(y.shape) % 3)).sum() for y in outputs)
            total.backward()
            gradients = {k: None if t.grad is None else t.grad.numpy().copy() for k, t in leaves.items()}
    except Exception as error:
        gradients = ("error", type(error).__name__, str(error))
    return ("values", values, gradients)


def main() -> None:
    """Writes all results."""
    T = importlib.import_module(sys.argv[1])
    F = importlib.import_module(f"{sys.argv[1]}.nn.functional")
    if hasattr(T, "set_num_threads"):
        T.set_num_threads(1)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    results = {
        (group, expression, name): evaluate(T, F, expression, given)
        for group, expressions in cases.EXPRESSIONS.items()
        for name, given in cases.inputs(group)
        for expression in expressions
    }
    with open(sys.argv[2], "wb") as file:
        pickle.dump(results, file)


if __name__ == "__main__":
    main()
