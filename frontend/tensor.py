"""Tensor: some bytes, a view of them, and where the values came from. Its operations are installed by `surface`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..dialects.types import DType, TensorSpec
from ..runtime.storage import Storage
from . import grad_mode, mutations, tree
from .devices import device
from .errors import refused, runtime_error, type_error
from .layout import View
from .modes import modes
from .node import Node
from .size import Size
from .used_up import UsedUp

if TYPE_CHECKING:
    from .tensor_methods import TensorMethods  # pyright: ignore[reportMissingModuleSource]
else:
    TensorMethods = object

HIDDEN = 2
"""Among the values of `Tensor._detached`: an alias by `.data`, or a view of one."""


class Tensor(TensorMethods):
    """A tensor with PyTorch's meaning.

    `_storage` holds the bytes, `_view` says which of them in which order (None: all, row-major). `_base` is the tensor
    whose history this one shares as a differentiable view of it, and `_history` counts the writes that changed that
    history. `_node` and `_index` say which recorded operation made the values; a leaf has none.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_base",
        "_detached",
        "_grad",
        "_history",
        "_index",
        "_node",
        "_requires_grad",
        "_spec",
        "_storage",
        "_view",
    )

    _storage: Storage
    _spec: TensorSpec
    _view: View | None
    _base: Tensor | None
    _history: int
    _node: Node | None
    _index: int
    _requires_grad: bool
    _detached: int
    """Whether this shares memory with what gradients may flow through; HIDDEN where writes are not to be noticed."""
    _grad: Tensor | UsedUp | None

    if TYPE_CHECKING:
        # Installed by `creation` and by `dispatch`.
        @classmethod
        def _from_data(cls, *data: Any, **options: Any) -> Self: ...
        def _replayed(self, origin: View | None, view: View | None) -> Tensor: ...

    def __new__(cls, *data: Any, **options: Any) -> Self:
        if data and isinstance(data[0], Storage):
            return wrap(data[0], data[0].spec, cls=cls)
        return cls._from_data(*data, **options)

    @classmethod
    def _make_subclass(cls, data: Tensor, requires_grad: bool = False) -> Self:
        """A leaf of this class with the bytes of `data`."""
        new = wrap(data._storage, data._spec, data._view, cls)
        if requires_grad:
            new.requires_grad = True
        return new

    # What it is

    @property
    def shape(self) -> Size:
        """Extents, as a tuple."""
        return Size(self._spec.shape)

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self._spec.dtype

    @property
    def device(self) -> device:
        """Where the bytes are."""
        return self._storage.device

    @property
    def _version(self) -> int:
        """How often it was written to, as far as saved tensors are to notice."""
        return version_of(self) if self._detached != HIDDEN else self._storage.hidden

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._spec.shape)

    # Gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        if self._base is not None:
            sync(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        set_requires_grad(self, value)

    @property
    def is_leaf(self) -> bool:
        """Whether this is an input of the graph: not made by a recorded operation."""
        if self._base is not None:
            sync(self)
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        """The recorded operation that made this tensor."""
        if self._base is not None:
            sync(self)
        return self._node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` accumulated here."""
        trace = modes.trace
        found: Tensor | UsedUp | None = self._grad if trace is None else trace.get_grad(self)
        return found.read() if isinstance(found, UsedUp) else found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        check_grad(self, value)
        trace = modes.trace
        if trace is None:
            self._grad = value
        else:
            trace.set_grad(self, value)

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def data(self) -> Tensor:
        """The same bytes, without history. What is written to it, the gradients of `self` are not to notice."""
        new = alias(self)
        new._detached = HIDDEN
        return new

    @data.setter
    def data(self, value: Tensor) -> None:
        trace = modes.trace
        if trace is not None:
            if value._spec != self._spec:
                raise refused(
                    f"assigning a {value._spec} to .data of a {self._spec} inside a compiled function: the shape and "
                    "the type must stay"
                )
            trace.assignments.assign(trace, self, value)
            return
        self._storage, self._spec, self._view = value._storage, value._spec, value._view
        self._base = None
        mutations.bump()

    __hash__ = object.__hash__


tree.ATOMS.add(Tensor)

_new = object.__new__


def wrap(storage: Storage, spec: TensorSpec, view: View | None = None, cls: type[Any] = Tensor) -> Any:
    """A tensor without history."""
    new = _new(cls)
    new._storage = storage
    new._spec = spec
    new._view = view
    new._base = None
    new._history = 0
    new._node = None
    new._index = 0
    new._requires_grad = False
    new._detached = 0
    new._grad = None
    return new


def alias(x: Tensor) -> Tensor:
    """The same bytes without history: what `detach` and `data` give."""
    new = wrap(x._storage, x._spec, x._view)
    new._detached = x._detached or 1
    return new


# History


def version_of(t: Tensor) -> int:
    """How often a tensor was written to, as far as whoever saved it is to notice: writes through an alias by `.data`
    count for aliases alone."""
    storage = t._storage
    return storage.version if t._detached == HIDDEN else storage.version - storage.hidden


def sync(t: Tensor) -> None:
    """Brings the history of a differentiable view up to date with writes to what it is a view of."""
    base = t._base
    assert base is not None
    if t._history == base._history:
        return
    before = grad_mode.switch(True)
    try:
        fresh = base._replayed(base._view, t._view)
    finally:
        grad_mode.switch(before)
    rebase(t, fresh._node, fresh._index, fresh._requires_grad)
    t._history = base._history


def rebase(t: Tensor, node: Node | None, index: int, requires_grad: bool) -> None:
    """Gives a tensor a new history. Whether its gradient is kept is a matter of the tensor, and moves along."""
    if modes.trace is not None:
        modes.trace.keep_own(t)
    retained = None if t._node is None else t._node.retained
    kept = retained.get(t._index) if retained else None
    if kept is not None and kept() is t:
        del retained[t._index]  # pyright: ignore[reportOptionalSubscript]
        if node is not None:
            node.retained = {**(node.retained or {}), index: kept}
    t._node, t._index, t._requires_grad = node, index, requires_grad


def set_requires_grad(t: Tensor, value: bool) -> None:
    """What assigning `requires_grad` does."""
    if t._base is not None:
        sync(t)
    value = bool(value)
    if t._node is not None:
        if not value:
            raise runtime_error(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        return
    if value and t._spec.dtype.kind != "float":
        raise runtime_error("only Tensors of floating point dtype can require gradients")
    if value != t._requires_grad:
        if modes.trace is not None:
            modes.trace.keep_own(t)
        t._requires_grad = value
        t._base = None
        t._history += value  # views that have a history keep it
        mutations.bump()


def check_grad(t: Tensor, grad: Any) -> None:
    """Raises unless `grad` may be assigned to `t.grad`."""
    if grad is None:
        return
    if not isinstance(getattr(grad, "_storage", None), Storage):
        raise type_error(f"assigned grad expected to be a Tensor or None but got grad of type {type(grad).__name__}")
    if grad._spec.shape != t._spec.shape:
        raise runtime_error(
            f"assigned grad has data of a different size: expected {list(t._spec.shape)}, got {list(grad._spec.shape)}"
        )
    if grad._spec.dtype is not t._spec.dtype:
        raise runtime_error(f"assigned grad has data of a different type: expected {t.dtype}, got {grad.dtype}")


__all__ = ["HIDDEN", "Tensor", "alias", "rebase", "sync", "version_of", "wrap"]
