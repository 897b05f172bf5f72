"""Where a module keeps what is assigned to it: parameters, buffers and child modules in dictionaries of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import mutations
from ..surface.unsupported import INSTEAD
from ..tensor import Tensor
from .parameter import Buffer, Parameter

_MISSING = object()


class ForwardHook(NamedTuple):
    """A hook, whether it is given the keyword arguments too, and whether it runs when the forward raised."""

    run: Callable[..., Any]
    with_kwargs: bool
    always_call: bool = False


def typename(value: object) -> str:
    """How PyTorch's messages call the type of a value: `int`, `torch.FloatTensor`, `package.module.Class`."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Registry:
    """The attributes of a Module. Compiled functions read them, so that every change of one asks to check again."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _forward_hooks: dict[int, ForwardHook]
    _forward_pre_hooks: dict[int, ForwardHook]
    _backward_hooks: dict[int, Callable[..., Any]]
    _backward_pre_hooks: dict[int, Callable[..., Any]]
    _state_dict_hooks: dict[int, Callable[..., Any]]
    _state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: dict[int, Callable[..., Any]]

    def __init__(self) -> None:
        # Not through __setattr__, which looks into these very dictionaries.
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _modules={},
            _non_persistent_buffers_set=set(),
            _forward_hooks={},
            _forward_pre_hooks={},
            _backward_hooks={},
            _backward_pre_hooks={},
            _state_dict_hooks={},
            _state_dict_pre_hooks={},
            _load_state_dict_pre_hooks={},
            _load_state_dict_post_hooks={},
        )

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            if table in own and name in own[table]:
                return own[table][name]
        hint = f"; irtool does not have it: {INSTEAD[name]}" if name in INSTEAD else ""
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, keep="_parameters", kind="parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Registry):
            if name in own.get("_parameters", ()):
                raise self._cannot_assign(value, "parameter", name, "torch.nn.Parameter or None expected")
            self._forget(name, keep="_modules", kind="module")
            self._modules[name] = value
            mutations.bump()
        elif name in own.get("_parameters", ()):
            if value is not None:
                raise self._cannot_assign(value, "parameter", name, "torch.nn.Parameter or None expected")
            self.register_parameter(name, None)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise self._cannot_assign(value, "child module", name, "torch.nn.Module or None expected")
            self._modules[name] = None
            mutations.bump()
        elif isinstance(value, Buffer):
            self._forget(name, keep="_buffers", kind="buffer")
            self.register_buffer(name, value, value.persistent)
        elif name in own.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise self._cannot_assign(value, "buffer", name, "torch.nn.Buffer, torch.Tensor or None expected")
            self.register_buffer(name, value, name not in self._non_persistent_buffers_set)
        else:
            if own.get(name, _MISSING) is not value:
                mutations.bump()
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        mutations.bump()
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = [*super().__dir__(), *self._parameters, *self._buffers, *self._modules]
        return sorted(name for name in names if not name[0].isdigit())

    def _forget(self, name: str, *, keep: str, kind: str) -> None:
        """Before `name` becomes a parameter or module: removes what else it named."""
        own = self.__dict__
        if keep not in own:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        for table in ("_parameters", "_buffers", "_modules"):
            if table != keep:
                own[table].pop(name, None)
        own.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _cannot_assign(self, value: object, what: str, name: str, expected: str) -> TypeError:
        return TypeError(f"cannot assign '{typename(value)}' as {what} '{name}' ({expected})")

    def _check_name(self, kind: str, name: str, table: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in self.__dict__[table] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None reserves the name."""
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        self._parameters[name] = param
        mutations.bump()

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state but not trained; `persistent=False` leaves it out of the state_dict."""
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        if self._buffers.get(name, _MISSING) is not tensor:
            mutations.bump()
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Any) -> None:
        """Adds a child module under a name."""
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._modules[name] = module
        mutations.bump()

    register_module = add_module
