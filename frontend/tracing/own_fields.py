"""Tensors of which a thread that traces has other memory or history: other threads find them as they are.

    p.data = p.data - lr * g         in a trace: until it ends, `p` has memory without numbers, in this thread alone
    h.mul_(w)                        and a history that no gradient can be taken by

Such a tensor's fields are copied, and what the thread reads and writes from there on is the copy. While there is one,
the fields are properties of the class, which ask what thread it is; at all other times they are slots.
"""

from __future__ import annotations

from typing import Any

from ..modes import modes
from ..tensor import Tensor

_NAMES = ("_base", "_detached", "_history", "_index", "_node", "_requires_grad", "_storage", "_view")
_SLOTS: dict[str, Any] = {name: vars(Tensor)[name] for name in _NAMES}


def _asking(name: str, slot: Any) -> property:
    def get(tensor: Tensor) -> Any:
        own = modes.fields
        found = None if own is None else own.get(tensor)
        return slot.__get__(tensor) if found is None else found[name]

    def put(tensor: Tensor, value: Any) -> None:
        own = modes.fields
        found = None if own is None else own.get(tensor)
        if found is None:
            slot.__set__(tensor, value)
        else:
            found[name] = value

    return property(get, put)


_ASKING = {name: _asking(name, slot) for name, slot in _SLOTS.items()}


def keep_own(tensor: Tensor) -> None:
    """Lets this thread have fields of its own of a tensor, until it gives all of them up."""
    if modes.fields is None:
        modes.fields = {}
        _install(_ASKING)
    if tensor not in modes.fields:
        modes.fields[tensor] = {name: slot.__get__(tensor) for name, slot in _SLOTS.items()}


def give_up() -> None:
    """From here on the tensors are in this thread what they are in all others."""
    if modes.fields is not None:
        _install(_SLOTS)
        modes.fields = None


def _install(members: dict[str, Any]) -> None:
    for name, member in members.items():
        setattr(Tensor, name, member)


__all__ = ["give_up", "keep_own"]
