"""Programs without a C compiler: a traced module is evaluated by the reference meanings of its ops, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..passes.pipeline import REFERENCE
from .backend import Backend, Translation, UnsupportedTarget
from .denormals import as_compiled
from .plan import errors_interface, host_of, tensor_interface
from .python_program import Array, PythonProgram

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp


class Reference(Backend):
    """What ops mean, op by op."""

    name = "reference"
    pipeline = REFERENCE

    def identity(self) -> str:
        return np.__version__

    def translate(self, module: ModuleOp) -> Translation:
        raise UnsupportedTarget(f"programs for the target {self.name!r} have no source: they are evaluated op by op")

    def build(self, key: str, module: ModuleOp) -> ModuleOp:
        clone = module.clone()
        self.lower(clone)
        return clone

    def load(self, built: ModuleOp) -> PythonProgram:
        from ..dialects.reference.interpret import interpret

        host = host_of(built)
        interface = tensor_interface(host)
        assert interface is not None, "a function on tensors"
        plan: dict[str, Any] = {**interface, "errors": errors_interface(host)}
        count = len(plan["arguments"])
        targets: list[int] = [found.get("argument", found.get("buffer")) for found in plan["results"]]
        record = plan["errors"]["argument"]

        def evaluate(buffers: list[Array]) -> None:
            # Results may be views of arguments that other results are about to overwrite.
            with as_compiled():
                results = {k: np.array(r, copy=True) for k, r in zip(targets, interpret(host, buffers[:count]))}
            failed = record in results and results[record][0] != 0
            for k, result in results.items():
                if k == record or not failed:  # else state stays as it was
                    np.copyto(buffers[k], result)

        return PythonProgram(plan, evaluate)
