"""Tensor: some bytes, a view of them, and where the values came from. Its operations are installed by `surface`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..dialects.types import DType, TensorSpec
from ..runtime.storage import Storage
from . import mutations, tape
from .devices import CPU, device
from .errors import runtime_error
from .modes import modes
from .size import Size
from .used_up import UsedUp

if TYPE_CHECKING:
    from .views import View


class Tensor:
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
    _node: tape.Node | None
    _index: int
    _requires_grad: bool
    _detached: int
    """Whether this shares memory with what gradients may flow through; HIDDEN where writes are not to be noticed."""
    _grad: Tensor | UsedUp | None

    if TYPE_CHECKING:
        # The operations, which `surface` installs from tables.
        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __len__(self) -> int: ...
        def __bool__(self) -> bool: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...

    def __new__(cls, *data: Any, **options: Any) -> Self:
        if data and type(data[0]) is Storage:
            return wrap(data[0], data[0].spec, cls=cls)
        from .creation import legacy_tensor

        return legacy_tensor(cls, *data, **options)

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
        return CPU

    @property
    def _version(self) -> int:
        """How often it was written to, as far as saved tensors are to notice."""
        return tape.version_of(self) if self._detached != HIDDEN else self._storage.hidden

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._spec.shape)

    # Gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        if self._base is not None:
            tape.sync(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        tape.set_requires_grad(self, value)

    @property
    def is_leaf(self) -> bool:
        """Whether this is an input of the graph: not made by a recorded operation."""
        if self._base is not None:
            tape.sync(self)
        return self._node is None

    @property
    def grad_fn(self) -> tape.Node | None:
        """The recorded operation that made this tensor."""
        if self._base is not None:
            tape.sync(self)
        return self._node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` accumulated here."""
        trace = modes.trace
        found: Tensor | UsedUp | None = self._grad if trace is None else trace.get_grad(self)
        return found.read() if isinstance(found, UsedUp) else found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        tape.check_grad(self, value)
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
                raise runtime_error(
                    f"assigning a {value._spec} to .data of a {self._spec} inside a compiled function: the shape and "
                    "the type must stay"
                )
            trace.assignments.assign(trace, self, value)
            return
        self._storage, self._spec, self._view = value._storage, value._spec, value._view
        self._base = None
        mutations.bump()

    __hash__ = object.__hash__


HIDDEN = tape.HIDDEN
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


__all__ = ["Tensor", "alias", "wrap"]
