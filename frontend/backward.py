"""Compiled functions whose outputs are differentiated outside: a forward program, and a backward program on the tape.

y = compiled(x)            runs forward; y's node keeps what backward needs
y.sum().backward()         reaches the node, which runs backward
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dialects.types import TensorSpec, spec_of
from ..runtime.storage import Storage, aligned_empty
from . import dispatch, tape
from .errors import runtime_error
from .launch import Bound, Launchable, address_of
from .modes import modes

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from .tensor import Tensor
    from .traced import Traced


@dataclass
class Split:
    """The two halves of a traced function."""

    forward: ModuleOp
    backward: ModuleOp
    saved: list[TensorSpec]
    """What forward returns beyond the traced function's results."""
    residuals: list[tuple[str, int]]
    """("argument", i), ("result", number of the fresh result), in the order of backward's first arguments."""
    wrt: list[Tensor | int]
    """Whose gradients backward returns."""
    outputs: list[int]
    """The fresh results that have cotangents."""


def split(traced: Traced) -> Split:
    """Partitions a traced function with differentiable outputs."""
    from xdsl.dialects.builtin import ModuleOp

    from ..passes.hl.partition import partition

    function: Any = next(iter(traced.module.ops))
    parts = partition(
        function, wrt=[i for i, _ in traced.wrt], outputs=[returned for returned, _ in traced.differentiable]
    )
    returned = len(function.function_type.outputs)
    first = returned - len(traced.own)
    residuals: list[tuple[str, int]] = []
    for residual in parts.residuals:
        if residual.of == "argument":
            residuals.append(("argument", residual.index))
        elif residual.index < returned:
            residuals.append(("result", traced.own[residual.index - first]))
        else:
            residuals.append(("result", len(traced.results) + residual.index - returned))
    owners = dict(traced.wrt)
    numbers = dict(traced.differentiable)
    return Split(
        forward=ModuleOp([parts.forward]),
        backward=ModuleOp([parts.backward]),
        saved=[spec_of(t) for t in list(parts.forward.function_type.outputs)[returned:]],
        residuals=residuals,
        wrt=[owners[i] for i in parts.gradients],
        outputs=[numbers[k] for k in parts.cotangents],
    )


class Backward:
    """The backward program, and how to put it on the tape."""

    def __init__(self, parts: Split, make: Callable[[ModuleOp], Launchable]) -> None:
        self.parts = parts
        self._make = make
        self.program: Launchable | None = None
        """Compiled when first needed."""
        self._call: Bound | None = None
        function: Any = next(iter(parts.backward.ops))
        self._gradients = [spec_of(t) for t in function.function_type.outputs]

    def record(
        self,
        leaves: Sequence[Any],
        kept: Sequence[Storage],
        results: Sequence[Storage],
        made: Sequence[Tensor],
    ) -> None:
        """Makes the outputs (in the order of `parts.outputs`) depend on the tensors that the function used.

        `kept`: the memory of the arguments among the residuals, in order.
        """
        inputs = [leaves[w] if isinstance(w, int) else w for w in self.parts.wrt]
        arguments = iter(kept)
        residuals = [next(arguments) if of == "argument" else results[i] for of, i in self.parts.residuals]
        versions = [storage.version for storage in residuals]

        def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
            for storage, version in zip(residuals, versions):
                if storage.version != version:
                    raise runtime_error(
                        "one of the variables needed for gradient computation has been modified by an inplace "
                        f"operation: a {storage.spec} that a compiled function used or returned is at version "
                        f"{storage.version}; expected version {version} instead"
                    )
            return self._run(residuals, gradients)

        tape.CustomNode("CompiledBackward", inputs, made, backward)

    def _run(self, residuals: Sequence[Storage], gradients: Sequence[Tensor | None]) -> list[Tensor]:
        from .tensor import wrap

        if modes.grad:
            raise runtime_error(
                "gradients of gradients do not flow through a compiled function; take both inside it, or run it eagerly"
            )
        if self._call is None:
            self.program = self._make(self.parts.backward)
            self._call = self.program.bind()
        seeds: list[np.ndarray[Any, Any]] = []
        function: Any = next(iter(self.parts.backward.ops))
        specs = [spec_of(t) for t in list(function.function_type.inputs)[len(residuals) :]]
        for spec, gradient in zip(specs, gradients, strict=True):
            seed = aligned_empty(spec)
            np.copyto(seed, 0 if gradient is None else dispatch.array_of(gradient))
            seeds.append(seed)
        outputs = [aligned_empty(spec) for spec in self._gradients]
        addresses = [s.address for s in residuals] + [address_of(a) for a in (*seeds, *outputs)]
        self._call.run(list(enumerate(addresses)))
        return [wrap(Storage(array, spec), spec) for array, spec in zip(outputs, self._gradients)]
