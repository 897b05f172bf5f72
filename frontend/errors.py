"""Errors that name the user's line, worded as PyTorch words them.

Exception
├── RuntimeError    shapes, dtypes, autograd, tracing
├── TypeError       arguments of the wrong kind
└── IndexError      dimensions and indices out of range
"""

from __future__ import annotations

import os
from typing import TypeVar

from ..dialects.types import DType, f32, f64, i1, i32, i64, u8
from .modes import modes
from .source import user_frame

TYPE_NAMES: dict[DType, str] = {f32: "Float", f64: "Double", i64: "Long", i32: "Int", u8: "Byte", i1: "Bool"}
"""What PyTorch calls the element types in messages and in the names of tensor types."""


class LinAlgError(RuntimeError):
    """A matrix that an operation of linear algebra cannot be done with."""


E = TypeVar("E", bound=Exception)


def here() -> str:
    """`train.py:11`, the user's line; empty where there is none."""
    filename, line = user_frame()
    return f"{os.path.basename(filename)}:{line}" if filename else ""


def located(kind: type[E], message: str, where: str | None = None) -> E:
    """An exception whose message ends with the user's file and line, or with another place."""
    where = here() if where is None else where
    return kind(f"{message} (at {where})" if where else message)


def runtime_error(message: str) -> RuntimeError:
    """A RuntimeError that names the user's line."""
    return located(RuntimeError, message)


def type_error(message: str) -> TypeError:
    """A TypeError that names the user's line."""
    return located(TypeError, message)


def index_error(message: str) -> IndexError:
    """An IndexError that names the user's line."""
    return located(IndexError, message)


def refused(message: str, where: str | None = None) -> RuntimeError:
    """A RuntimeError for what eager code does and a trace cannot: a trace does not go on from there, also where the
    function catches the error, since it would do what it does not do eagerly."""
    error = located(RuntimeError, message, where)
    if modes.trace is not None:
        modes.trace.refused.append(error)
    return error


def untraceable(what: str, fix: str, where: str | None = None) -> RuntimeError:
    """For what needs a value while a function is traced, when there is none yet."""
    return refused(
        f"{what} needs the value of a tensor, which a function being compiled does not have yet: {fix}", where
    )
