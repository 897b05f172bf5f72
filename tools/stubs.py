"""Writes what tables make for type checkers and editors: `frontend/tensor_methods.pyi`, the methods of Tensor, and
`frontend/nn/by_rank.pyi`, the layers over one to three dimensions.

python -m irtool.tools.stubs
"""

from __future__ import annotations

import inspect
import keyword
import re
from pathlib import Path
from typing import Any

from ..frontend import tensor
from ..frontend.nn import by_rank
from ..frontend.surface.names import Tensor

METHODS = Path(tensor.__file__).with_name("tensor_methods.pyi")
LAYERS = Path(by_rank.__file__).with_suffix(".pyi")
HEAD = '''"""Methods of Tensor. Written by `python -m irtool.tools.stubs` (`make stubs`)."""

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..dialects.types import DType
from .handles import RemovableHandle
from .ops.statistics import Extremes
from .random import Generator
from .tensor import Tensor

Operand = Tensor | builtins.float
Dims = builtins.int | Sequence[builtins.int] | None

class TensorMethods:
    def __hash__(self) -> builtins.int: ...
'''
INTERNAL = {"__copy__", "__deepcopy__", "__getattr__", "__reduce_ex__", "__repr__"}
"""Special methods that nobody calls by an operator or a function of Python's with types of its own."""
KNOWN = {
    *("Any", "Callable", "DType", "None", "Sequence", "Tensor", "bool", "bytes", "dict", "float", "int"),
    *("list", "object", "slice", "str", "tuple", "type", "np", "ndarray"),
    *("Extremes", "Generator", "RemovableHandle"),
}
"""The words of annotations that mean in the stub what they mean where they stand; one with others is Any."""

ARGUMENTS: dict[str, str] = {
    **dict.fromkeys(("other", "exponent", "value", "weight", "src", "q"), "Operand"),
    **dict.fromkeys(("min", "max"), "Operand | None"),
    **dict.fromkeys(("alpha", "beta", "p"), "float"),
    "dim": "Dims",
    **dict.fromkeys(("source", "destination", "indices_or_sections"), "int | Sequence[int]"),
    **dict.fromkeys(("memory_format", "device"), "object"),
}
"""What arguments of these names are, where functions say Any because numbers of a trace may come instead."""
RESULTS: dict[str, str] = {
    name: result
    for result, names in {
        "Tensor": "H T mH mT real cpu log10 log10_ log2 log2_ where atleast_1d atleast_2d atleast_3d",
        "bool": "is_complex is_conj is_cpu is_cuda is_floating_point is_inference is_meta is_mkldnn is_nonzero "
        "is_pinned is_quantized is_shared is_sparse retains_grad",
        "float": "__float__",
        "int": "__int__ dense_dim dim element_size get_device itemsize nbytes ndimension sparse_dim",
        "str": "layout",
        "Iterator[Tensor]": "__iter__",
    }.items()
    for name in names.split()
}
"""What methods give that do not say so."""

SHADOWED = {"bool", "float", "int", "type"}
"""Types of Python's own that are methods' names too."""
WORD = r"[A-Za-z_]\w*"


def methods() -> str:
    """The methods of Tensor."""
    declared = _declared(tensor.Tensor)
    members = {name: value for name, value in sorted(vars(Tensor).items()) if name not in declared}
    return HEAD + "".join(_member(name, value) for name, value in members.items() if _is_shown(name, value))


def layers() -> str:
    """The layers of the table, as class statements."""
    homes = sorted({made.__bases__[0].__module__.rpartition(".")[2] for made in by_rank.CLASSES.values()})
    head = '"""Layers over one to three dimensions. Written by `python -m irtool.tools.stubs` (`make stubs`)."""\n\n'
    lines = [
        f"{head}from . import {', '.join(homes)}\nfrom .module import Module\n\nCLASSES: dict[str, type[Module]]\n"
    ]
    for name, made in by_rank.CLASSES.items():
        bases = [base.__name__ if base.__name__ in by_rank.CLASSES else _in_module(base) for base in made.__bases__]
        lines += [f'class {name}({", ".join(bases)}):\n    """{made.__doc__}"""\n']
    names = "".join(f'    "{name}",\n' for name in by_rank.CLASSES)
    return "\n".join([*lines, f"__all__ = [\n{names}]\n"])


def _in_module(base: type) -> str:
    return f"{base.__module__.rpartition('.')[2]}.{base.__name__}"


def _is_shown(name: str, value: Any) -> bool:
    special = name.startswith("__") and name not in INTERNAL and callable(value)
    return not name.startswith("_") or (special and name != "__hash__")


def _declared(cls: type) -> set[str]:
    """The names that the body of a class in its file defines, which type checkers see there."""
    body = inspect.getsource(cls)
    return {*re.findall(r"^    def (\w+)\(", body, re.MULTILINE), *re.findall(r"^    (\w+)[:,] ", body, re.MULTILINE)}


def _member(name: str, value: Any) -> str:
    if isinstance(value, property):
        returns = _result(name, inspect.signature(value.fget)) if value.fget else "Any"
        return f"    @property\n    def {name}(self) -> {returns}:{_doc(value)}"
    if not callable(value):
        return f"    {name}: Any\n"
    signature = _signature(name, value)
    ignore = "  # pyright: ignore[reportIncompatibleMethodOverride]" if name in ("__eq__", "__ne__") else ""
    return f"    def {name}{signature}:{_doc(value)}".rstrip("\n") + f"{ignore}\n"


def _signature(name: str, method: Any) -> str:
    signature = inspect.signature(method)
    plain = getattr(Tensor, name[:-1], None) if name.endswith("_") else None
    if plain is not None and any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        signature = inspect.signature(plain)  # in place it takes the same
    _, *parameters = signature.parameters.values()
    shown = ["self", *_parameters(name, parameters)]
    return f"({', '.join(shown)}) -> {_result(name, signature)}"


def _result(name: str, signature: inspect.Signature) -> str:
    known = _annotation(signature.return_annotation)
    return _built_in(RESULTS[name]) if known == "Any" and name in RESULTS else known


def _parameters(method: str, parameters: list[inspect.Parameter]) -> list[str]:
    shown: list[str] = []
    named = False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not named:
            shown.append("*")
        named = named or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        name = f"{p.name}_" if keyword.iskeyword(p.name) else p.name
        default = "" if p.default is p.empty else " = ..."
        annotation = _annotation(p.annotation)
        if annotation == "Any" and p.name in ARGUMENTS and method != "__setitem__":
            annotation = _built_in(ARGUMENTS[p.name])
        shown.append(f"{star}{name}: {annotation}{default}")
    return shown


def _annotation(annotation: Any) -> str:
    """The annotation, where the stub knows all of its words."""
    if not isinstance(annotation, str):
        return "Any"
    if not set(re.findall(WORD, annotation)) <= KNOWN:
        return "Any"
    return _built_in(annotation)


def _built_in(annotation: str) -> str:
    """An annotation in a class whose methods have names of Python's types."""
    return re.sub(WORD, lambda word: f"builtins.{word[0]}" if word[0] in SHADOWED else word[0], annotation)


def _doc(value: Any) -> str:
    line = (inspect.getdoc(value) or "").split("\n")[0].strip()
    return (
        f' """{line}"""\n' if line and '"""' not in line and "\\" not in line and not line.endswith('"') else " ...\n"
    )


if __name__ == "__main__":
    METHODS.write_text(methods())
    LAYERS.write_text(layers())
