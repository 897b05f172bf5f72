"""What foreign code is known to do nothing besides returning: a table. Anything that it does not list may have effects.

Only code that is not Python of the user's is looked up here; that one is traced. Programs of a trace that has called
something else are for that one call (`observer.py`).
"""

from __future__ import annotations

from collections import deque
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from .code_names import PACKAGE


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODULES = _names("""
    _abc _ast _bisect _bootlocale _codecs _collections _collections_abc _decimal _functools _heapq _json
    _operator _random _sre _statistics _struct _weakref _weakrefset _xdsl abc array ast base64 binascii bisect
    builtins cmath codecs collections collections.abc colorsys contextlib copy copyreg dataclasses decimal
    difflib enum fractions functools genericpath hashlib heapq inspect itertools json json.decoder json.encoder
    keyword math ntpath numbers operator pathlib posixpath random re re._parser reprlib safetensors statistics
    string struct textwrap types typing typing_extensions unicodedata warnings weakref xdsl zlib
""")
"""Modules of Python's own whose functions and classes have no effects, but for those below."""

IMPURE = _names("""
    builtins.open builtins.input builtins.exec builtins.eval builtins.compile builtins.__import__
    builtins.breakpoint builtins.print builtins.globals builtins.delattr contextlib.redirect_stdout
    contextlib.redirect_stderr random.SystemRandom.random random._urandom inspect.currentframe inspect.stack
    genericpath.exists genericpath.isfile genericpath.isdir genericpath.getsize genericpath.getmtime
    posixpath.exists posixpath.realpath posixpath.expanduser posixpath.abspath posixpath.ismount
    posixpath.islink posixpath.lexists datetime.datetime.now datetime.datetime.today datetime.datetime.utcnow
    datetime.date.today codecs.open warnings.simplefilter warnings.filterwarnings warnings.resetwarnings
    weakref.finalize operator.methodcaller operator.setitem operator.delitem operator.iadd operator.iconcat
    _operator.setitem _operator.delitem _struct.pack_into random.seed random.setstate random.SystemRandom
    sys._getframe sys.exc_info functools.lru_cache json.dump json.load functools.cache
""")
"""Functions, and methods of classes of Python's own, that have effects, or read what changes."""

PURE = frozenset(
    ("importlib.import_module", "os.getenv", "os.fspath", "logging.getLogger", "logging.Logger.isEnabledFor")
)
"""Functions of other modules that have none, or that read what is guarded."""

PATH_METHODS = _names("""
    as_posix as_uri is_absolute is_relative_to is_reserved joinpath match relative_to with_name with_stem
    with_suffix with_segments full_match
""")
"""What a path tells without looking at the disk."""

VALUES: tuple[type, ...] = (
    *(str, bytes, int, float, complex, bool, tuple, frozenset, range, slice, type(None), type, type(...)),
    *(np.generic, np.dtype),
)
"""Types whose objects do not change."""

CONTAINERS: tuple[type[Any], ...] = (list, dict, set, deque)
"""Types whose changes are found after a trace, in what the function can reach."""

NUMPY_IMPURE = _names("""
    save savez savez_compressed savetxt load loadtxt fromfile genfromtxt memmap copyto put place putmask
    fill_diagonal put_along_axis seterr seterrcall setbufsize set_printoptions errstate printoptions show_config
    default_rng tofile dump fill sort partition itemset resize setfield setflags byteswap at setstate
""")
"""Functions and methods of numpy that change something, or read what changes."""


def is_pure(value: Any) -> bool:
    """Whether calling a foreign function or class has no effects, and gives the same for the same operands. Generators
    of random numbers are the caller's matter."""
    kind = cast(Any, type(value))
    if kind is MethodType:
        return isinstance(value.__func__, FunctionType) and is_pure(value.__func__)
    if kind is FunctionType:
        return _is_listed(value.__module__, value.__qualname__)
    if isinstance(value, type):
        return _is_listed(value.__module__, value.__qualname__) or issubclass(value, (VALUES, BaseException))
    if kind is np.ufunc:
        return True
    if kind is type(np.concatenate):
        return value.__name__ not in NUMPY_IMPURE
    owner = getattr(value, "__self__", None)
    if not isinstance(value, BuiltinMethodType):
        # Methods that no object is bound to: what they act on passes other hooks.
        unbound = kind.__name__ in ("method_descriptor", "wrapper_descriptor", "classmethod_descriptor")
        return unbound or (kind.__name__ == "method-wrapper" and is_known(owner))
    if owner is None or isinstance(owner, ModuleType):
        return _is_listed(value.__module__ or getattr(owner, "__name__", ""), value.__qualname__)
    if isinstance(owner, type):
        return _is_listed(owner.__module__, f"{owner.__qualname__}.{value.__name__}")
    if isinstance(owner, (np.ndarray, np.generic)):
        return value.__name__ not in NUMPY_IMPURE
    return is_known(owner)


def _is_listed(module: str | None, name: str) -> bool:
    if not isinstance(module, str):
        return False
    if module.partition(".")[0] == PACKAGE:
        return True
    if module.partition(".")[0] == "pathlib":
        owner, _, method = name.rpartition(".")
        return owner == "" or method in PATH_METHODS or method.startswith("_")
    if module.partition(".")[0] == "numpy":
        return name.rpartition(".")[2] not in NUMPY_IMPURE
    if f"{module}.{name}" in IMPURE:
        return False
    return module in MODULES or module == "datetime" or f"{module}.{name}" in PURE


TRANSPARENT = _names("""
    builtins operator _operator functools _functools itertools collections _collections collections.abc copy
    contextlib dataclasses types abc _abc typing weakref heapq _heapq bisect _bisect enum
""")
"""Modules whose functions use operands only by their methods, or as objects."""


def is_transparent(value: Any) -> bool:
    """Whether a pure function may get what stands for a number."""
    function = getattr(value, "__func__", value)
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType) and not isinstance(function, type):
        kind = owner if isinstance(owner, type) else cast(Any, type(owner))
        return issubclass(kind, (*CONTAINERS, tuple, frozenset)) or kind.__module__ in TRANSPARENT - {"builtins"}
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", "")
    if module in ("builtins", None) and isinstance(function, type):
        return issubclass(function, (*CONTAINERS, tuple, frozenset, type, BaseException)) or name in LAZY
    return module in TRANSPARENT or str(module).partition(".")[0] == PACKAGE


LAZY = _names("""
    zip map filter enumerate reversed super object property staticmethod classmethod bool slice
""")
"""Classes of Python's own that keep operands as they are, or ask them by their methods."""


IMMUTABLE = _names("""
    collections.abc.Mapping datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone
    decimal.Decimal enum.Enum fractions.Fraction pathlib.PurePath re.Pattern re.Match types.MappingProxyType
    types.mappingproxy types.GenericAlias types.UnionType types.CodeType uuid.UUID string.Template
    operator.itemgetter operator.attrgetter zoneinfo.ZoneInfo builtins.property builtins.staticmethod
    builtins.classmethod builtins.mappingproxy builtins.function builtins.builtin_function_or_method
    builtins.method builtins.module builtins.dict_keys builtins.dict_values builtins.dict_items builtins.zip
    builtins.map builtins.filter builtins.enumerate builtins.super
    collections.UserList collections.UserDict collections.UserString collections.ChainMap weakref.ReferenceType
""")
"""Classes of Python's own whose objects do not change, or lead to what is looked at itself."""


def _public(module: str) -> str:
    """`pathlib` for `pathlib._local`."""
    return module.partition("._")[0]


def is_known(value: Any) -> bool:
    """Whether operators on an object are no matter of effects: it does not change, or its changes are found."""
    kind = cast(Any, type(value))
    if issubclass(kind, (VALUES, CONTAINERS)):
        return True
    if kind.__module__.partition(".")[0] in (PACKAGE, "numpy"):
        return not issubclass(kind, (np.flatiter, np.nditer))
    return any(f"{_public(base.__module__)}.{base.__qualname__}" in IMMUTABLE for base in kind.__mro__)


__all__ = ["is_known", "is_pure"]
