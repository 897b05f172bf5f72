"""What a compiled function does to Python besides returning: tensors that it keeps become results of the program, and
each call puts them where the function put them.

    self.cache = h             an entry or a variable is assigned
    log.append(loss)           a list grows, a dictionary is written to
    batch["x"] = x + 1         a list or dictionary among the arguments gets other contents
    p.requires_grad = False    a parameter is switched off, until another function switches it on
    x.relu_()                  a computed argument gets another history, through which gradients flow on
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from .. import tree
from ..mutations import bump
from ..tensor import alias
from ..writes import adopt, check_in_place
from .guards import Flag
from .places import PLAIN, Place

if TYPE_CHECKING:
    from ..tensor import Tensor
    from .dynamic import DynamicNumbers


class Effect(Protocol):
    """One change. `value` holds tensors of the trace, and is a tree of results later."""

    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        """Makes the change with the tensors of a call."""
        ...


@dataclass
class Assign:
    """An attribute, a global, an entry, a variable of an enclosing function or a tensor's `requires_grad` is set."""

    place: Place | Flag
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        self.place.assign(value)
        bump()


@dataclass
class Data:
    """`.data` of a tensor is set."""

    tensor: Tensor
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        self.tensor.data = value


@dataclass
class Extend:
    """A list grows at its end, or entries of a dictionary are set."""

    container: Any
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        put: Callable[[Any], object] = getattr(self.container, "update" if isinstance(value, dict) else "extend")
        put(value)


@dataclass
class Refill:
    """A list or dictionary gets other contents."""

    container: Any
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        refill(self.container, value)


@dataclass
class Argument:
    """A list, dictionary or dataclass among the arguments gets other contents."""

    path: tuple[Any, ...]
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        container = arguments
        for step in self.path:
            container = getattr(container, step.name) if isinstance(step, Field) else container[step]
        refill(container, value)


@dataclass(frozen=True)
class Field:
    """A step of a path that is the attribute of a dataclass."""

    name: str


@dataclass
class History:
    """A tensor from outside gets the history of what was written to it: `target`, or an argument by its number.

    `value` is None where gradients flow to nothing that it holds now.
    """

    target: Any
    value: Any

    def _tensor(self, leaves: Sequence[Any]) -> Tensor:
        return leaves[self.target] if isinstance(self.target, int) else self.target

    def check(self, leaves: Sequence[Any]) -> None:
        """Raises where the tensor of this call may not be written to."""
        check_in_place(self._tensor(leaves))

    def apply(self, value: Any, arguments: Any) -> None:
        leaves: list[Any] = []
        tree.flatten(arguments, leaves)
        tensor = self._tensor(leaves)
        if value is not None or tensor.requires_grad:
            adopt(tensor, alias(tensor) if value is None else value)


def refill(container: Any, value: Any) -> None:
    """Gives a list, dictionary or dataclass new contents."""
    if isinstance(container, (list, deque, dict)):
        cast("list[Any]", container).clear()
        Extend(container, None).apply(value, None)
    else:
        for name, part in value.items():
            object.__setattr__(container, name, part)


def changed_arguments(before: Any, after: Any, path: tuple[Any, ...] = ()) -> list[Argument]:
    """The containers of a tree of arguments that have other contents than before."""
    old, new = _children(before), _children(after)
    found: list[Argument] = []
    same = type(before) is type(after) and [step for step, _ in old] == [step for step, _ in new]
    if same:
        for (step, a), (_, b) in zip(old, new, strict=True):
            if type(a) is type(b) and (_children(a) or isinstance(a, (list, dict))):
                found += changed_arguments(a, b, (*path, step))
            elif a is not b:
                same = False
    if same or isinstance(before, tuple):
        return found
    contents = list(cast("list[Any]", after)) if isinstance(after, list) else {_name(step): v for step, v in new}
    return [Argument(path, contents)]


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, (tuple, list)):
        return list(enumerate(cast("list[Any]", value)))
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).items())
    if hasattr(value, "__dataclass_fields__") and tree.holds_tensors(value):
        return [(Field(name), part) for name, part in tree.attributes_of(value).items()]
    return []


def _name(step: Any) -> Any:
    return step.name if isinstance(step, Field) else step


STRUCTURES: tuple[Any, ...] = (dict, OrderedDict, defaultdict, list, tuple, deque)
"""Classes whose objects are what they contain."""


class _Exchanged:
    """How values that are replaced in each call are taken apart: as far as programs rely on their likeness."""

    def is_leaf(self, value: Any) -> bool:
        return False

    def template(self, value: Any) -> tree.Template | None:
        return tree.Template(value) if type(value) in (defaultdict, deque) else None


EXCHANGED = _Exchanged()


def likeness(value: Any) -> Any:
    """What a program relies on where it replaces a value without reading its numbers."""
    kind = cast(Any, type(value))
    if tree.is_tensor(value):
        return f"{kind.__name__} {value._spec}" + (", requires_grad" if value.requires_grad else "")
    if kind in PLAIN:
        return value
    if kind not in STRUCTURES and not (hasattr(kind, "_fields") and isinstance(value, tuple)):
        try:
            return weakref.ref(value)
        except TypeError:
            return value
    if issubclass(kind, dict):
        return kind.__name__, *[(key, likeness(v)) for key, v in cast("dict[Any, Any]", value).items()]
    limit = getattr(cast(Any, value), "maxlen", None)
    return kind.__name__, limit, *map(likeness, cast("Sequence[Any]", value))


# Lists and dictionaries that are only written to


class ReadBack(BaseException):
    """The function looks into a list or dictionary that it was thought only to write to."""

    def __init__(self, container: Any) -> None:
        super().__init__()
        self.container = container


class _Appended:
    """Stands for a list or deque that a function appends to while it is traced. It is empty."""

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.original = original
        self.added: list[Any] = []

    def append(self, value: Any) -> None:
        self.added.append(value)

    def extend(self, values: Iterable[Any]) -> None:
        self.added.extend(values)

    def __iadd__(self, values: Iterable[Any]) -> Any:
        self.added.extend(values)
        return self


class WrittenList(_Appended, list[Any]):
    """For a list."""


class WrittenDeque(_Appended, deque[Any]):
    """For a deque."""


class WrittenDict(dict[Any, Any]):
    """Stands for a dictionary whose entries a function sets while it is traced; it may read those that it has set."""

    def __init__(self, original: dict[Any, Any]) -> None:
        super().__init__()
        self.original = original
        self.added: dict[Any, Any] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.added[key] = value

    def update(self, *values: Any, **named: Any) -> None:
        self.added.update(*values, **named)

    def __getitem__(self, key: Any) -> Any:
        if key not in self.added:
            raise ReadBack(self.original)
        return self.added[key]

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key]

    def __contains__(self, key: Any) -> bool:
        self[key]
        return True


def _refuse(name: str) -> Callable[..., NoReturn]:
    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise ReadBack(self.original)

    method.__name__ = name
    return method


_OBJECT = frozenset(dir(object)) - {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__repr__", "__str__"}

for _kind, _base in ((WrittenList, list), (WrittenDeque, deque), (WrittenDict, dict)):
    _known = vars(WrittenDict if _base is dict else _Appended)
    for _name_ in (*dir(_base), "__bool__"):
        if _name_ not in _known and _name_ not in _OBJECT and _name_ != "__class_getitem__":
            setattr(_kind, _name_, _refuse(_name_))

Written = WrittenList | WrittenDeque | WrittenDict


def stand_in(container: Any) -> Written:
    """What takes the place of a container that is only written to."""
    kind = WrittenList if isinstance(container, list) else WrittenDict if isinstance(container, dict) else WrittenDeque
    return kind(cast(Any, container))


class Again(BaseException):
    """The function is to be traced once more, knowing more about what it writes to."""

    def __init__(self, learn: Callable[[Hints], None]) -> None:
        super().__init__()
        self.learn = learn


class Hints:
    """What earlier traces of the same call have found out."""

    def __init__(self, numbers: DynamicNumbers) -> None:
        self.numbers = numbers
        """What other calls have found out too."""
        self.constant = numbers.constant
        """Whether all numbers are constants, since the function has failed with symbolic ones."""
        self.written: list[Any] = []
        """Lists and dictionaries that the function writes tensors to."""
        self.read: list[Any] = []
        """Those of them that it reads as well."""
        self.places: list[Place] = []
        """What holds a tensor that the function reads and replaces: another argument of each call."""
        self.captured: list[Place] = []
        """Those of which others share the memory."""
        self.shared = False
        """Whether the function writes to an argument that shares memory with another one."""

    def share(self) -> None:
        """What is written to one argument is seen in another."""
        self.shared = True

    def write(self, container: Any) -> None:
        """A list or dictionary gets tensors."""
        self.written.append(container)

    def keep_constant(self) -> None:
        """Symbolic numbers get to where they cannot be."""
        self.constant = True

    def look_into(self, container: Any) -> None:
        """It is read too. After several of them the others are taken to be: each costs a trace."""
        self.read += (container,) if len(self.read) < 8 else self.written

    def exchange(self, place: Place) -> None:
        """A tensor is read and replaced."""
        if all(place.identity != other.identity for other in (*self.places, *self.captured)):
            self.places.append(place)

    def capture(self) -> None:
        """Tensors that are read and replaced share their memory with others."""
        self.captured += self.places
        self.places = []


def contains(values: Iterable[Any], value: Any) -> bool:
    """Whether this very object is among the values."""
    return any(x is value for x in values)
