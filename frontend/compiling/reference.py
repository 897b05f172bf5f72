"""Programs without a C compiler: `target="reference"` evaluates the traced ops by their reference meanings."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...dialects.types import TensorSpec, spec_of

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp

REFERENCE = "reference"


class ReferenceProgram:
    """Looks like a compiled program: arguments in order, then the results that update no argument."""

    def __init__(self, module: ModuleOp) -> None:
        from xdsl.context import Context

        from ...passes.hl.differentiate import Differentiate

        self.module = module.clone()
        Differentiate().apply(Context(), self.module)
        self.function: Any = next(iter(self.module.ops))

    def bind(self) -> ReferenceCall:
        """A call with pointers to fill."""
        return ReferenceCall(self.function)


class ReferenceCall:
    """One set of pointers."""

    def __init__(self, function: FuncOp) -> None:
        self.function = function
        self.arguments = [spec_of(t) for t in function.function_type.inputs]
        attributes = function.arg_attrs.data if function.arg_attrs is not None else ()
        # Which argument, or which buffer after the arguments, a result goes to.
        state: dict[int, int] = {
            cast(Any, marks.data["irtool.result"]).value.data: i
            for i, marks in enumerate(attributes)
            if "irtool.result" in marks.data
        }
        self.results = [spec_of(t) for t in function.function_type.outputs]
        fresh = [k for k in range(len(self.results)) if k not in state]
        self.targets = {**state, **{k: len(self.arguments) + i for i, k in enumerate(fresh)}}
        self.errors = next((k for k, i in state.items() if "irtool.errors" in attributes[i].data), None)
        """The result that is the record of errors."""
        self.pointers: dict[int, int] = {}

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        self.pointers[index] = address

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then evaluates."""
        from ...dialects.reference.interpret import interpret
        from ...runtime.denormals import as_compiled

        self.pointers.update(changes)
        given = [array_at(self.pointers[i], spec) for i, spec in enumerate(self.arguments)]
        # Results may be views of arguments that other results are about to overwrite.
        with as_compiled():
            results = [np.array(r, copy=True) for r in interpret(self.function, given)]
        failed = self.errors is not None and results[self.errors][0] != 0
        for k, (spec, result) in enumerate(zip(self.results, results, strict=True)):
            if failed and k != self.errors:
                continue  # state stays as it was
            np.copyto(array_at(self.pointers[self.targets[k]], spec), result)


def array_at(address: int, spec: TensorSpec) -> np.ndarray[Any, Any]:
    """The tensor whose bytes lie at an address."""
    count = math.prod(spec.shape)
    if not count:
        return np.empty(spec.shape, spec.dtype.numpy)
    memory: Any = (ctypes.c_char * (count * spec.dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, spec.dtype.numpy).reshape(spec.shape)
