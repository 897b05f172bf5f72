"""A module that runs compiled, and is otherwise the module it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

from ..nn.module import Module
from .compiled import Compiled


class OptimizedModule(Module):
    """A module whose calls run compiled; everything else is the module's own."""

    _compiled: Compiled

    def __init__(self, module: Module, target: str, keep_gradients: bool) -> None:
        super().__init__()
        self._orig_mod = module
        object.__setattr__(self, "_compiled", Compiled(module.__call__, target, keep_gradients))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the compiled module."""
        return self._compiled(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "_modules" not in self.__dict__:
                raise
            return getattr(self._modules["_orig_mod"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("training", "_orig_mod") or "_orig_mod" not in self.__dict__.get("_modules", {}):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __len__(self) -> int:
        return len(cast(Any, self._orig_mod))

    def __bool__(self) -> bool:
        return bool(self._orig_mod)  # which may have no length

    def __iter__(self) -> Iterator[Any]:
        return iter(cast(Any, self._orig_mod))

    def __getitem__(self, index: Any) -> Any:
        return cast(Any, self._orig_mod)[index]

    def __deepcopy__(self, memo: dict[int, Any]) -> OptimizedModule:
        return OptimizedModule(copy.deepcopy(self._orig_mod, memo), *self._compiled.options)

    def __reduce__(self) -> tuple[Any, ...]:
        return (OptimizedModule, (self._orig_mod, *self._compiled.options))

    @property
    def program(self) -> Compiled:
        """The compiled function behind the module."""
        return self._compiled


for _name in ("ir", "source", "memory", "profile", "programs", "explain"):

    def _delegate(self: OptimizedModule, *args: Any, _name: str = _name, **kwargs: Any) -> Any:
        return getattr(self._compiled, _name)(*args, **kwargs)

    _delegate.__doc__ = getattr(Compiled, _name).__doc__
    _delegate.__name__ = _name
    setattr(OptimizedModule, _name, _delegate)
