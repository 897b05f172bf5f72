"""Modules that hold others: in a row, in a list, under names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Self, cast, overload

from ..tensor import Tensor
from .module import Module
from .parameter import Parameter


class _ModuleSequence(Module):
    """What Sequential and ModuleList share: children under the names "0", "1", ..."""

    def __init__(self, modules: Iterable[Module | None] = ()) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def _name(self, index: int) -> str:
        """The name of the child at an index, which may be negative."""
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: int) -> Any: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(list(self._modules.items())[index])
        return self._modules[self._name(index)]

    def _slice(self, items: list[tuple[str, Module]]) -> Any:
        return type(self)([module for _, module in items])

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name(index)]
        for name in names:
            delattr(self, name)
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules: Sequence[Module]) -> None:
        self._modules.clear()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def __add__(self, other: Iterable[Module]) -> Self:
        return type(self)._of(chain(self, other))

    @classmethod
    def _of(cls, modules: Iterable[Module]) -> Any:
        return cls(list(modules))

    def append(self, module: Module) -> Self:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Puts a module before the one at `index`."""
        modules = list(self)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"Index out of range: {index}")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Any:
        """Takes out a module and gives it back."""
        module = self[index]
        del self[index]
        return module


class Sequential(_ModuleSequence):
    """Modules applied one after the other: `Sequential(a, b)`, or an OrderedDict of names and modules."""

    def __init__(self, *args: Any) -> None:
        first: Any = args[0] if len(args) == 1 else None
        table = cast(dict[str, Module], first if isinstance(first, OrderedDict) else {})
        super().__init__(() if table else args)
        for name, module in table.items():
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def __add__(self, other: Iterable[Module]) -> Self:
        self._check_other("add", other)
        return super().__add__(other)

    def __iadd__(self, other: Iterable[Module]) -> Self:
        self._check_other("add", other)
        return self.extend(other)

    def __mul__(self, times: int) -> Self:
        return type(self)._of(self._repeated(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(self._repeated(times)[len(self) :])

    def _repeated(self, times: int) -> list[Module]:
        if not isinstance(times, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return list(self) * times

    def _check_other(self, operator: str, other: object) -> None:
        if not isinstance(other, Sequential):
            raise ValueError(
                f"{operator} operator supports only objects of Sequential class, but {type(other)} is given."
            )

    def _slice(self, items: list[tuple[str, Module]]) -> Any:
        return type(self)(OrderedDict(items))

    @classmethod
    def _of(cls, modules: Iterable[Module]) -> Any:
        return cls(*modules)


class ModuleList(_ModuleSequence):
    """A list of modules; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__(() if modules is None else modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Equal neighbours are printed once, with how many there are."""
        texts = [repr(module) for module in self]
        if not texts:
            return f"{self._get_name()}()"
        runs: list[tuple[int, int]] = []
        for index, text in enumerate(texts):
            if runs and texts[runs[-1][0]] == text:
                runs[-1] = (runs[-1][0], index)
            else:
                runs.append((index, index))
        lines = [
            f"({first}): {texts[first]}" if first == last else f"({first}-{last}): {last - first + 1} x {texts[first]}"
            for first, last in runs
        ]
        return f"{self._get_name()}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"


class _Named(Module):
    """What ModuleDict and ParameterDict share: a dictionary of what they hold."""

    def _held(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def __getitem__(self, key: str) -> Any:
        return self._held()[key]

    def __delitem__(self, key: str) -> None:
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, key: str) -> bool:
        return key in self._held()

    def clear(self) -> None:
        """Takes out all that is held."""
        for key in list(self._held()):
            delattr(self, key)

    def pop(self, key: str) -> Any:
        """Takes out what a name stands for, and gives it back."""
        value = self[key]
        del self[key]
        return value

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._held().keys()

    def values(self) -> Iterable[Any]:
        """What is held."""
        return self._held().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names, and what they stand for."""
        return self._held().items()


class ModuleDict(_Named):
    """Modules under names, in order."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def _held(self) -> Mapping[str, Any]:
        return self._modules

    def __setitem__(self, key: str, value: Module) -> None:
        self.add_module(key, value)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules, replacing those of the same names."""
        for key, module in dict(modules).items():
            self[key] = module


class _Values(Module):
    """What ParameterList and ParameterDict share: parameters as attributes, and other values too."""

    def __init__(self) -> None:
        super().__init__()
        self._other_values: dict[str, Any] = {}
        """Those that are neither parameters nor modules: compiled functions look for them here."""

    def _put(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        setattr(self, name, value)
        if isinstance(value, (Tensor, Module)):
            self._other_values.pop(name, None)
        else:
            self._other_values[name] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._other_values.pop(name, None)


class ParameterList(_Values):
    """A list of parameters; tensors put into it become parameters, whatever else is put into it stays what it is."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(() if values is None else values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(index)) for index in range(self._size))

    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: int) -> Any: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([getattr(self, str(i)) for i in range(self._size)[index]])
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self._put(self._name(index), value)

    def _name(self, index: int) -> str:
        if not -self._size <= index < self._size:
            raise IndexError(f"index {index} is out of range")
        return str(range(self._size)[index])

    def append(self, value: Any) -> Self:
        """Adds one at the end."""
        self._put(str(self._size), value)
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Adds several at the end."""
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        return _describe(enumerate(self))


class ParameterDict(_Values, _Named):
    """Parameters under names, in order; tensors put into it become parameters, other values stay what they are."""

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update(parameters or {})

    def _held(self) -> Mapping[str, Any]:
        return {key: getattr(self, key) for key in self._keys}

    def __setitem__(self, key: str, value: Any) -> None:
        self._put(key, value)
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        super().__delitem__(key)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def clear(self) -> None:
        """Takes out all that is held."""
        for key in list(self._keys):
            del self[key]

    def popitem(self) -> tuple[str, Any]:
        """Takes out the last parameter and gives it back with its name."""
        key = list(self._keys)[-1]
        return key, self.pop(key)

    def setdefault(self, key: str, default: Any) -> Any:
        """The parameter of a name, which becomes `default` if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Another dictionary, of these names for one value."""
        return ParameterDict([(key, default) for key in keys])

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other.items())
        return both

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, or `default`."""
        return self._held().get(key, default)

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Adds parameters, replacing those of the same names. Those of a plain dictionary are taken in sorted order, as
        PyTorch takes them: the order decides which state of an optimizer belongs to which."""
        given: dict[str, Any] = dict(cast(Any, parameters))
        plain = isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict)
        for key in sorted(given) if plain else given:
            self[key] = given[key]

    def extra_repr(self) -> str:
        return _describe(self.items())


def _describe(values: Iterable[tuple[object, Any]]) -> str:
    lines: list[str] = []
    for key, value in values:
        if isinstance(value, Tensor):
            size = "x".join(str(extent) for extent in value.shape)
            kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
            lines.append(f"  ({key}): {kind} containing: [{value.dtype!r} of size {size}]")
        else:
            lines.append(f"  ({key}): Object of type: {type(value).__name__}")
    return "\n".join(lines)


__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
