"""What foreign code is known to do nothing besides returning: a table. Anything that it does not list may have effects.

Only code that is not Python of the user's is looked up here; that one is traced. Programs of a trace that has called
something else are for that one call (`observer.py`).
"""

from __future__ import annotations

import sys
from abc import ABC
from collections import ChainMap, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import MutableMapping, MutableSequence, MutableSet
from functools import cache
from operator import attrgetter
from types import (
    BuiltinMethodType,
    ClassMethodDescriptorType,
    FunctionType,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Generic, cast

import numpy as np

from .code_names import PACKAGE, is_user
from .extensions import EXTENSIONS
from .places import is_a


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODULES = _names("""
    _abc _ast _bisect _bootlocale _codecs _collections _collections_abc _functools _heapq _json
    _operator _random _sre _statistics _struct _weakref _weakrefset _xdsl abc array ast base64 binascii bisect
    builtins cmath codecs collections collections.abc colorsys contextlib copy copyreg dataclasses
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

SETTINGS = _names("""
    set_default_dtype set_default_device set_num_threads set_num_interop_threads set_printoptions set_flush_denormal
    set_float32_matmul_precision use_deterministic_algorithms load
""")
"""Functions of this package that change what belongs to nobody's step, or read files."""

_EMPTY: dict[Any, Any] = {}
VIEWS: tuple[Any, ...] = (MappingProxyType, *map(type, (_EMPTY.keys(), _EMPTY.values(), _EMPTY.items())))
"""Types of objects that show what is in a dictionary."""

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

SLOTS = (MethodWrapperType, WrapperDescriptorType)
"""Types of special methods of Python's own classes, of an object and to be given one."""

WRAPPERS = (UserDict, UserList, ChainMap)
"""Containers that hold another one, which guards watch."""

CONTAINERS: tuple[type[Any], ...] = (list, dict, set, deque)
"""Types whose changes are found after a trace, in what the function can reach."""

NUMPY_IMPURE = _names("""
    save savez savez_compressed savetxt load loadtxt fromfile genfromtxt memmap copyto put place putmask
    fill_diagonal put_along_axis seterr seterrcall setbufsize set_printoptions errstate printoptions show_config
    default_rng tofile dump fill sort partition itemset resize setfield setflags byteswap at setstate
    __setitem__ __delitem__ __setattr__ __setstate__
""")
"""Functions and methods of numpy that change something, or read what changes."""


def is_pure(value: Any) -> bool:
    """Whether calling a foreign function or class has no effects, and gives the same for the same operands. Generators
    of random numbers are the caller's matter."""
    kind = cast(Any, type(value))
    if kind is MethodType:
        return is_a(value.__func__, (FunctionType, BuiltinMethodType)) and is_pure(value.__func__)
    if kind is FunctionType:
        return _is_listed(value.__module__, value.__qualname__)
    if is_a(value, type):
        known = _is_listed(value.__module__, value.__qualname__) and _is_there(value)
        return known or issubclass(value, (VALUES, BaseException))
    if kind is np.ufunc:
        return True
    if kind is type(np.concatenate):
        return value.__name__ not in NUMPY_IMPURE
    owner = getattr(value, "__self__", None)
    if not is_a(value, BuiltinMethodType):
        if is_a(value, (MethodDescriptorType, WrapperDescriptorType, ClassMethodDescriptorType)):
            return _is_pure_method(value.__objclass__, value.__name__)
        if not is_a(value, MethodWrapperType):
            return False
        return _is_of_any_object(value) or (is_known(owner) and _is_pure_method(cast(Any, type(owner)), value.__name__))
    if owner is None or is_a(owner, ModuleType):
        return _is_listed(value.__module__ or getattr(owner, "__name__", ""), value.__qualname__)
    if module_of(value) in EXTENSIONS:
        return _is_listed(value.__module__, value.__name__)
    if is_a(owner, type):
        return _is_listed(owner.__module__, f"{owner.__qualname__}.{value.__name__}")
    return is_known(owner) and _is_pure_method(cast(Any, type(owner)), value.__name__)


def module_of(function: Any) -> str:
    """The module that a function in C says it is of; methods of objects in C say nothing."""
    module = getattr(getattr(function, "__func__", function), "__module__", None)
    return module if is_a(module, str) and module is not None else ""


def _is_pure_method(kind: type, name: str) -> bool:
    """Whether a method of a class that is not written in Python changes nothing, or what is found after the trace."""
    if issubclass(kind, (np.ndarray, np.generic)):
        inplace = name.startswith("__i") and name not in ("__index__", "__int__", "__iter__", "__invert__", "__init__")
        return name not in NUMPY_IMPURE and not inplace
    if name in ("__set__", "__delete__"):
        return False  # of another object
    return issubclass(kind, (*VALUES, *CONTAINERS, BaseException)) or kind is object or is_known_class(cast(Any, kind))


def _is_there(kind: type) -> bool:
    """Whether a class is the one of its name in its module, and not one that was made on the fly."""
    module = kind.__module__
    if module.partition(".")[0] in (PACKAGE, "numpy"):
        return True
    try:
        return attrgetter(kind.__qualname__)(sys.modules[module]) is kind
    except (AttributeError, KeyError):
        return False


def _is_of_any_object(slot: Any) -> bool:
    """Whether a method is one that objects and exceptions of all classes have, such as the `__init__` of the last
    class that `super()` comes to."""
    return slot.__objclass__ is object or issubclass(slot.__objclass__, BaseException)


def _is_listed(module: str | None, name: str) -> bool:
    if not is_a(module, str) or module is None:
        return False
    if "<locals>" in name:
        return module.partition(".")[0] == PACKAGE  # which keeps something in variables around it
    if module.partition(".")[0] == PACKAGE:
        return name not in SETTINGS
    if module.partition(".")[0] == "pathlib":
        owner, _, method = name.rpartition(".")
        return owner == "" or method in PATH_METHODS or method.startswith("_")
    if module.partition(".")[0] == "numpy":
        return name.rpartition(".")[2] not in NUMPY_IMPURE
    if module in EXTENSIONS:
        return name not in EXTENSIONS[module].impure
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
    if module_of(function) in EXTENSIONS:
        return EXTENSIONS[module_of(function)].transparent
    owner = getattr(function, "__self__", None)
    if owner is not None and not is_a(owner, ModuleType) and not is_a(function, type):
        kind = owner if is_a(owner, type) else cast(Any, type(owner))
        return issubclass(kind, (*CONTAINERS, tuple, frozenset)) or kind.__module__ in TRANSPARENT - {"builtins"}
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", "")
    if module in ("builtins", None) and is_a(function, type):
        return issubclass(function, (*CONTAINERS, tuple, frozenset, type, BaseException)) or name in LAZY
    return module in TRANSPARENT or str(module).partition(".")[0] == PACKAGE


LAZY = _names("""
    zip map filter enumerate reversed super object property staticmethod classmethod bool slice
""")
"""Classes of Python's own that keep operands as they are, or ask them by their methods."""


IMMUTABLE = _names("""
    collections.abc.Mapping datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone
    enum.Enum fractions.Fraction pathlib.PurePath re.Pattern re.Match types.MappingProxyType
    types.mappingproxy types.GenericAlias types.UnionType types.CodeType uuid.UUID string.Template
    builtins.code builtins.getset_descriptor builtins.member_descriptor builtins.method_descriptor
    builtins.classmethod_descriptor typing._Final dataclasses.Field
    operator.itemgetter operator.attrgetter _struct.Struct zoneinfo.ZoneInfo builtins.property builtins.staticmethod
    builtins.classmethod builtins.mappingproxy builtins.function builtins.builtin_function_or_method
    builtins.method builtins.module builtins.dict_keys builtins.dict_values builtins.dict_items builtins.zip
    builtins.map builtins.filter builtins.enumerate builtins.super builtins.NotImplementedType builtins.ellipsis
    inspect.Signature inspect.Parameter inspect.BoundArguments inspect._empty dataclasses.Field
    dataclasses._HAS_DEFAULT_FACTORY_CLASS dataclasses._MISSING_TYPE logging.Logger string.Formatter
    contextlib.nullcontext contextlib.suppress functools.cached_property logging.LoggerAdapter functools.partialmethod
    functools.singledispatchmethod typing.TypeVar typing._GenericAlias typing._SpecialForm ipaddress._IPAddressBase
    numbers.Number
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
    return kind is object or is_known_class(kind)


@cache
def is_known_class(kind: Any) -> bool:
    """Whether a class of Python's library has objects that do not change, or whose changes are found."""
    if issubclass(kind, (MutableMapping, MutableSequence, MutableSet)):
        kinds: tuple[Any, ...] = WRAPPERS
    else:
        kinds = kind.__mro__
    return any(
        f"{_public(base.__module__)}.{base.__qualname__}" in IMMUTABLE for base in kinds if issubclass(kind, base)
    )


HARMLESS = frozenset({object, list, dict, set, deque, OrderedDict, defaultdict, Generic, ABC})
"""Bases of users' classes whose own operators act on nothing but what guards watch."""


@cache
def is_all_python(kind: Any) -> bool:
    """Whether all that operators do to objects of a user's class is code of the user, or found after the trace."""
    bases = (base for base in kind.__mro__ if not is_user(base.__module__))
    return is_user(kind.__module__) and all(base in HARMLESS or _has_only_methods(base) for base in bases)


def _has_only_methods(base: Any) -> bool:
    """Whether a class of a library keeps nothing in its objects that only its own code sees."""
    if issubclass(base, (*VALUES, *CONTAINERS, BaseException, *WRAPPERS)):
        return True
    return base.__module__.partition(".")[0] == PACKAGE or base.__module__ in ABSTRACT or is_known_class(base)


ABSTRACT = _names("abc collections.abc typing typing_extensions numbers enum contextlib json string ast dataclasses")
"""Modules whose classes have no state, or keep it in attributes."""


__all__ = ["CONTAINERS", "is_all_python", "is_known", "is_pure", "is_transparent"]
