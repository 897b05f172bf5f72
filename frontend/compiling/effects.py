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

from ...runtime.storage import Storage
from .. import tree
from ..mutations import COUNTED, CountedDefaultDict, bump
from ..tensor import alias
from ..writes import adopt, check_in_place
from .changed_numbers import DynamicNumbers
from .places import PLAIN, VALUES, Place, base_of, class_attribute, elements, is_a
from .weak import referent

if TYPE_CHECKING:
    from ..tensor import Tensor


class Effect(Protocol):
    """One change. `value` holds tensors of the trace, and is a tree of results later."""

    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        """Makes the change with the tensors of a call."""
        ...


@dataclass
class Assign:
    """An attribute, a global, an entry or a variable of an enclosing function is set."""

    place: Place
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        self.place.assign(value)
        bump()


@dataclass
class Data:
    """`.data` of a tensor is set, or of an argument by its number."""

    target: Any
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        _tensor(self.target, arguments).data = value


@dataclass
class AskAgain:
    """A function with a cache is called, which counts that, and may have forgotten the result."""

    cached: Any
    args: list[Any]
    options: dict[str, Any]
    value: Any = None
    _is_first: bool = True

    def apply(self, value: Any, arguments: Any) -> None:
        if not self._is_first:  # the trace has asked
            self.cached(*self.args, **self.options)
        self._is_first = False


@dataclass
class Extend:
    """A list grows at its end, or entries of a dictionary are set."""

    container: Any
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        extend(self.container, value)


@dataclass
class Refill:
    """A list or dictionary gets other contents."""

    container: Any
    value: Any

    def apply(self, value: Any, arguments: Any) -> None:
        refill(self.container, value)


@dataclass
class Splice:
    """A part of a list or deque is replaced; what other threads have put in stays there."""

    container: Any
    start: int
    removed: int
    value: Any
    at_end: bool

    def apply(self, value: Any, arguments: Any) -> None:
        if self.at_end and not self.removed:
            self.container.extend(value)
        elif is_a(self.container, list):
            self.container[self.start : self.start + self.removed] = value
        else:
            elements = list(self.container)
            elements[self.start : self.start + self.removed] = value
            refill(self.container, elements)


@dataclass
class Argument:
    """A list or dictionary among the arguments gets other contents, or a dataclass other attributes."""

    path: tuple[Any, ...]
    value: Any
    of_attributes: bool

    def apply(self, value: Any, arguments: Any) -> None:
        found = arguments
        for step in self.path:
            if isinstance(step, Field):
                found = object.__getattribute__(found, step.name)
            else:
                found = base_of(found).__getitem__(found, step)
        if not self.of_attributes:
            refill(found, value)
            return
        for name in tree.attributes_of(found).keys() - value.keys():
            object.__delattr__(found, name)
        for name, part in value.items():
            object.__setattr__(found, name, part)


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

    def check(self, leaves: Sequence[Any]) -> None:
        """Raises where the tensor of this call may not be written to."""
        check_in_place(leaves[self.target] if isinstance(self.target, int) else referent(self.target))

    def apply(self, value: Any, arguments: Any) -> None:
        tensor = _tensor(self.target, arguments)
        if value is not None or tensor.requires_grad:
            adopt(tensor, alias(tensor) if value is None else value)


def _tensor(target: Any, arguments: Any) -> Tensor:
    """The tensor that a reference means, or the argument with a number."""
    if not isinstance(target, int):
        return referent(target)
    leaves: list[Any] = []
    tree.flatten(arguments, leaves)
    return leaves[target]


def extend(container: Any, value: Any) -> None:
    """Adds to a list or dictionary, by the methods of Python's own: those of a subclass have run in the trace."""
    base = base_of(container)
    if is_a(value, dict):
        for key, part in value.items():
            base.__setitem__(container, key, part)
    else:
        base.extend(container, value)


def refill(container: Any, value: Any) -> None:
    """Gives a list or dictionary new contents."""
    base_of(container).clear(container)
    extend(container, value)


def changed_arguments(before: Any, after: Any, path: tuple[Any, ...] = ()) -> list[Argument]:
    """What of a tree of arguments has other contents than before."""
    found: list[Argument] = []
    elements_differ = _changed(_elements(before), _elements(after), path, found)
    if elements_differ and not is_a(before, tuple):
        found = [Argument(path, list(elements(after)) if is_a(after, list) else dict(_elements(after)), False)]
    if tree.is_dataclass(cast(Any, type(before))) and tree.holds_tensors(before):
        old, new = tree.attributes_of(before), tree.attributes_of(after)
        inside: list[Argument] = []
        if _changed([*map(_field, old.items())], [*map(_field, new.items())], path, inside):
            inside = [Argument(path, dict(new), True)]
        found += inside
    return found


def _changed(
    old: list[tuple[Any, Any]], new: list[tuple[Any, Any]], path: tuple[Any, ...], found: list[Argument]
) -> bool:
    """Whether there are other parts than before; what has changed inside of them is added to what was found."""
    if [step for step, _ in old] != [step for step, _ in new]:
        return True
    different = False
    for (step, a), (_, b) in zip(old, new, strict=True):
        if type(a) is type(b) and (is_a(a, list, tuple, dict) or tree.is_dataclass(cast(Any, type(a)))):
            found += changed_arguments(a, b, (*path, step))
        else:
            different |= a is not b
    return different


def _elements(value: Any) -> list[tuple[Any, Any]]:
    if is_a(value, tuple, list):
        return list(enumerate(elements(value)))
    return list(zip(elements(value), VALUES(value), strict=True)) if is_a(value, dict) else []


def _field(item: tuple[str, Any]) -> tuple[Field, Any]:
    return Field(item[0]), item[1]


STRUCTURES: tuple[Any, ...] = (dict, OrderedDict, defaultdict, *COUNTED, list, tuple, deque)
"""Classes whose objects are what they contain."""


class _Exchanged:
    """How values that are replaced in each call are taken apart: as far as programs rely on their likeness."""

    def is_leaf(self, value: Any) -> bool:
        return False

    def template(self, value: Any) -> tree.Template | None:
        return tree.Template(value) if type(value) in (defaultdict, CountedDefaultDict, deque) else None


EXCHANGED = _Exchanged()


def likeness(value: Any) -> Any:
    """What a program relies on where it replaces a value without reading its numbers."""
    kind = cast(Any, type(value))
    if tree.is_plain_tensor(value):
        return f"{kind.__name__} {value._spec}" + (", requires_grad" if value.requires_grad else "")
    if kind in PLAIN:
        return value
    if kind not in STRUCTURES and not (class_attribute(kind, "_fields") is not None and issubclass(kind, tuple)):
        try:
            return weakref.ref(value)
        except TypeError:
            return value
    if issubclass(kind, dict):
        return kind.__name__, *[(key, likeness(v)) for key, v in cast("dict[Any, Any]", value).items()]
    limit = getattr(value, "maxlen", None)
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


class Hints:
    """What earlier traces of the same call have found out."""

    def __init__(self, numbers: DynamicNumbers) -> None:
        self.numbers = numbers
        """What other calls have found out too."""
        self.constant = numbers.constant
        """Whether all numbers are constants, since the function has failed with symbolic ones."""
        self.plain = False
        """Whether numbers are constants in this call alone, whose program is for no other."""
        self.kept: frozenset[tuple[int, Any]] = frozenset()
        """Places with a tensor that somebody else has as well, by their identity."""
        self.apart: list[Storage] = []
        """Memory of which others have tensors or arrays, so that what replaces a tensor must not be written there."""
        self.written: list[Any] = []
        """Lists and dictionaries that the function writes tensors to."""
        self.read: list[Any] = []
        """Those of them that it reads as well."""
        self.whole: list[Any] = []
        """Large containers that it reads."""
        self.is_first = True
        """Whether nothing has been traced yet."""
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

    def keep_plain(self) -> None:
        """The function asks which objects numbers are."""
        self.constant = self.plain = True

    def keep_apart(self, storages: Iterable[Storage]) -> None:
        """Others have this memory."""
        self.apart += storages

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
