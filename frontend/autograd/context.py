"""What the forward of a function with a backward of its own leaves for that backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import runtime_error
from ..tensor import Tensor, version_of


class FunctionCtx:
    """What forward leaves for backward."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Tensor | None, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._constant: set[int] = set()
        self._dirty: tuple[Tensor, ...] = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs or outputs, to be found in `saved_tensors`."""
        self._saved = tensors
        self._versions = tuple(-1 if t is None else version_of(t) for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given. Raises RuntimeError where it has been overwritten since."""
        for t, version in zip(self._saved, self._versions):
            if t is not None and version_of(t) != version:
                raise runtime_error(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: a "
                    f"saved tensor is at version {version_of(t)}; expected version {version} instead."
                )
        return self._saved

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Says which outputs have no gradient."""
        self._constant = {id(t) for t in outputs}

    def is_differentiable(self, output: Any) -> bool:
        """Whether gradients flow back from an output."""
        return isinstance(output, Tensor) and id(output) not in self._constant and output._spec.dtype.kind == "float"

    def replace(self, tensors: Mapping[int, Tensor]) -> None:
        """Keeps other tensors in the place of some outputs, which are given by id."""
        self._saved = tuple(tensors.get(id(t), t) for t in self._saved)
        self._versions = tuple(-1 if t is None else version_of(t) for t in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says which inputs forward has changed in place; it returns these."""
        self._dirty = tensors

    def is_dirty(self, output: Any) -> bool:
        """Whether an output is an input that was changed in place. Raises where that has no gradient."""
        if not any(output is t for t in self._dirty):
            return False
        if output.requires_grad and output.is_leaf:
            raise runtime_error("a leaf Variable that requires grad is being used in an in-place operation.")
        if output._base is not None:
            raise runtime_error("ctx.mark_dirty: a view was changed in place; pass a tensor that is no view of another")
        return True

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros, rather than None, for outputs that nothing depends on."""
        self._materialize = value
