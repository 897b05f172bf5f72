"""Compiled functions whose outputs are differentiated outside: a forward program, and a backward program on the tape.

y = compiled(x)                        runs forward; y's node keeps what backward needs
y.sum().backward()                     reaches the node, which runs backward
grad(y.sum(), x, create_graph=True)    runs the gradient as a compiled function of x and dy, with a node of its own
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ...dialects.types import TensorSpec, spec_of
from ...runtime.backend import Call, Program
from ...runtime.storage import Storage, layout_of
from .. import eager, tape
from ..autograd.walk import FREED
from ..devices import CPU, device
from ..errors import runtime_error
from ..modes import modes
from ..node import carries_gradient
from .memory import Memory, memory_of, readable

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp

    from ...passes.hl.partition import GradientFunction, Partition, Wrt
    from ..tensor import Tensor

Make = Callable[["ModuleOp"], Program]
"""Compiles a module."""


class Runner:
    """A function without state, run on given memory; compiled when first needed."""

    def __init__(self, function: FuncOp, make: Make) -> None:
        self.function = function
        self.program: Program | None = None
        self._make = make
        self._call: Call | None = None
        self._memory: Memory | None = None
        self._lock = threading.Lock()
        types: Any = function.function_type
        self.arguments = [spec_of(t) for t in types.inputs]
        self.results = [spec_of(t) for t in types.outputs]

    @cached_property
    def module(self) -> ModuleOp:
        """The function as a module."""
        from xdsl.dialects.builtin import ModuleOp

        return ModuleOp([self.function])

    def run(self, arguments: Sequence[Storage]) -> list[Storage]:
        """The results, in memory of their own."""
        with self._lock:
            if self._call is None:
                self.program = self._make(self.module)
                self._call = self.program.bind()
            memory = self._memory
            if memory is None:
                memory = self._memory = memory_of(arguments)
            given = [readable(memory, s) for s in arguments]
            outputs = [memory.empty(*layout_of(spec)) for spec in self.results]
            self._call.run(list(enumerate(address for _, address in (*given, *outputs))))
        return [memory.storage(buffer, spec) for (buffer, _), spec in zip(outputs, self.results)]


class Differentiable:
    """A function, its gradient, and the gradient of that, as far as they are asked for."""

    def __init__(
        self,
        function: FuncOp,
        wrt: Sequence[Wrt],
        outputs: Sequence[int],
        make: Make,
        reached: Sequence[Container[Wrt]] | None = None,
        together: Sequence[frozenset[int]] | None = None,
        where: device = CPU,
    ) -> None:
        """`reached`: for each output what it depends on; otherwise each may depend on all. `together`: for each output
        whose graphs a backward pass from it uses up; otherwise it uses up all."""
        self.function = function
        self._reached = reached
        self._together = together
        self._wrt = wrt
        self._outputs = outputs
        self._make = make
        self._where = where

    @cached_property
    def parts(self) -> Partition:
        """Forward and backward."""
        from ...passes.hl.partition import partition

        return partition(self.function, self._wrt, self._outputs)

    @cached_property
    def forward(self) -> Runner:
        """All results, then what is saved for backward."""
        return Runner(self.parts.forward, self._make)

    @cached_property
    def backward(self) -> Runner:
        """Residuals and cotangents to gradients."""
        return Runner(self.parts.backward, self._make)

    @cached_property
    def _gradient(self) -> tuple[GradientFunction, Differentiable]:
        """The gradient as a function that is differentiated in turn."""
        from ...passes.hl.partition import gradient_function

        found = gradient_function(self.function, self.parts.gradients, self.parts.cotangents)
        return found, Differentiable(
            found.function, found.wrt, range(len(self.parts.gradients)), self._make, where=self._where
        )

    def call(self, arguments: Sequence[Storage], inputs: Sequence[Tensor]) -> list[Tensor]:
        """The results as tensors that depend on `inputs`, which are what the function is differentiated by."""
        from ..tensor import wrap

        results = self.forward.run(arguments)
        made = [wrap(results[k], results[k].spec) for k in self.parts.cotangents]
        residuals = [(arguments if r.of == "argument" else results)[r.index] for r in self.parts.residuals]
        self.attach(made, inputs, residuals, dict(enumerate(arguments)))
        return made

    def _is_reached(self, w: Wrt, gradients: Sequence[Tensor | None]) -> bool:
        """Whether one of the outputs that gradients have come to depends on something: None is not zero."""
        if self._reached is None:
            return True
        return any(g is not None and w in reached for g, reached in zip(gradients, self._reached, strict=True))

    def attach(
        self,
        made: Sequence[Tensor],
        inputs: Sequence[Tensor],
        residuals: Sequence[Storage],
        arguments: Mapping[int, Storage],
    ) -> None:
        """Makes outputs depend on inputs. `arguments`: what the function was called with, by number."""
        places = {w: k for k, w in enumerate(self._wrt)}
        sources = [inputs[places[w]] for w in self.parts.gradients]
        versions = [s.seen for s in residuals]
        all_versions = [s.seen for s in arguments.values()]

        count = len(made)  # what is kept for the node may not lead to it: not to the outputs either
        together = self._together or [frozenset(range(count))] * count
        spent: set[int] = set()
        current: list[int] = []

        def spend(node: tape.CustomNode) -> None:
            spent.update(*(together[k] for k in current))
            if len(spent) == count:
                node.backward = None

        def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
            current[:] = [k for k, g in enumerate(gradients) if g is not None]
            if not spent.isdisjoint(current):
                raise runtime_error(FREED)
            _check_versions(residuals, versions)
            cotangents = [
                _given(g, spec, self._where)
                for g, spec in zip(gradients, self.backward.arguments[len(residuals) :], strict=True)
            ]
            if not modes.grad:
                from ..tensor import wrap

                results = self.backward.run([*residuals, *(c._storage for c in cotangents)])
                return [
                    _at_home(wrap(storage, storage.spec), source) if self._is_reached(w, gradients) else None
                    for w, storage, source in zip(self.parts.gradients, results, sources, strict=True)
                ]
            _check_versions(arguments.values(), all_versions)
            found, gradient = self._gradient
            seeds = [c._storage for c in cotangents]
            given = [tensor if tensor is not None else c for tensor, c in zip(gradients, cotangents)]
            missing = [i for i in found.arguments if i not in arguments]
            if missing:
                raise runtime_error(
                    "gradients of gradients do not flow through a compiled function that overwrites what its outputs "
                    "depend on; take both gradients inside it, or run it eagerly"
                )
            made = gradient.call(
                [*(arguments[i] for i in found.arguments), *seeds], [[*sources, *given][k] for k in found.sources]
            )
            return [g if self._is_reached(w, gradients) else None for w, g in zip(self.parts.gradients, made)]

        # The function may have said since that an input needs no gradient.
        node = tape.CustomNode("CompiledBackward", sources, made, backward)
        node.edges, node.spend = [tape.target_of(t) for t in sources], spend


def spend(t: Tensor, message: str) -> None:
    """Makes a tensor one with a history that cannot be gone back."""

    if carries_gradient(t._spec):
        tape.SpentNode(t, _refusal(message))


@cache
def _refusal(message: str) -> Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]]:
    def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        raise runtime_error(message)

    return backward


def _check_versions(storages: Iterable[Storage], versions: Sequence[int]) -> None:
    for storage, version in zip(storages, versions, strict=True):
        if storage.seen != version:
            raise runtime_error(
                "one of the variables needed for gradient computation has been modified by an inplace operation: a "
                f"{storage.spec} that a compiled function used or returned is at version {storage.seen}; expected "
                f"version {version} instead"
            )


def _at_home(gradient: Tensor, source: Tensor) -> Tensor:
    """A gradient where that is which it is of."""
    from ..tensor import wrap

    where = source._storage.device
    return gradient if gradient._storage.device is where else wrap(eager.moved(gradient, where), gradient._spec)


def _given(gradient: Tensor | None, spec: TensorSpec, where: device) -> Tensor:
    """A cotangent as the program reads it; zeros where there is none."""
    from ..tensor import wrap

    return wrap(eager.filled(spec, 0, where) if gradient is None else eager.moved(gradient, where), spec)


__all__ = ["Differentiable", "Runner", "spend"]
