"""Instrumented bytecode: while a function is traced, what its code loads and stores passes through hooks.

    LOAD_ATTR x            ->   LOAD_CONST <hook x>; SWAP 2; BINARY_SUBSCR
    STORE_SUBSCR           ->   BUILD_TUPLE 3; LOAD_CONST <hook>; SWAP 2; BINARY_SUBSCR; POP_TOP

A hook is an object whose `[...]` acts on the operands (`hooks.py`). It asks which trace is going on in its own thread,
and without one does what the instruction did, so that other threads may run the same code meanwhile. Calls are as they
were: no frame comes between a caller and what it calls. The code of functions is exchanged for the time of a trace.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType
from typing import Any, cast

from bytecode import Bytecode, Instr
from bytecode.instr import UNSET, FreeVar

from . import hooks
from .code_names import Original, original

Emitted = list[tuple[str, Any]]

REMEMBERED = 4096
"""How many codes are kept with their instrumented forms."""

NULL_LAST = sys.version_info >= (3, 13)
"""Whether the NULL that a call without `self` has on the stack lies above the callable."""

SUBSCRIPT = ("BINARY_OP", 26) if sys.version_info >= (3, 14) else ("BINARY_SUBSCR", None)
"""`hook[operands]`, which may give anything."""

CLOSURE = "LOAD_FAST" if sys.version_info >= (3, 13) else "LOAD_CLOSURE"
"""What loads a cell itself."""


def _apply(hook: Any, count: int = 1) -> Emitted:
    """Hands the topmost values of the stack, several of them as a tuple, to a hook."""
    gathered: Emitted = [("BUILD_TUPLE", count)] if count > 1 else []
    return [*gathered, ("LOAD_CONST", hook), ("SWAP", 2), SUBSCRIPT]


def _called(load: Emitted) -> Emitted:
    """A callable on the stack as a call without `self` expects it."""
    return [*load, ("PUSH_NULL", None)] if NULL_LAST else [("PUSH_NULL", None), ("SWAP", 2), *load]


def _rewritten(name: str, arg: Any) -> Emitted | None:
    """What takes the place of an instruction; None where it stays."""
    match name:
        case "LOAD_GLOBAL":
            called, text = arg
            hook = _apply(hooks.LoadGlobal(text, called))
            if called and NULL_LAST:
                return [(name, (False, text)), *hook, ("PUSH_NULL", None)]
            return [(name, arg), *hook]
        case "STORE_GLOBAL":
            return [*_apply(hooks.StoreGlobal(arg)), ("POP_TOP", None)]
        case "LOAD_DEREF" if isinstance(arg, FreeVar):
            return [(name, arg), (CLOSURE, arg), *_apply(hooks.LOAD_CELL, 2)]
        case "STORE_DEREF" if isinstance(arg, FreeVar):
            return [(CLOSURE, arg), *_apply(hooks.STORE_CELL, 2), ("POP_TOP", None)]
        case "LOAD_METHOD":
            return _called(_apply(hooks.LoadAttribute(arg, True)))
        case "LOAD_ATTR":
            called, text = cast("tuple[bool, str]", arg) if isinstance(arg, tuple) else (False, arg)
            hook = _apply(hooks.LoadAttribute(text, called))
            return _called(hook) if called else hook
        case "STORE_ATTR":
            return [*_apply(hooks.StoreAttribute(arg), 2), ("POP_TOP", None)]
        case "DELETE_ATTR":
            return [*_apply(hooks.DeleteAttribute(arg)), (name, arg)]
        case "DELETE_GLOBAL":
            return [("LOAD_CONST", 0), *_apply(hooks.DeleteGlobal(arg)), ("POP_TOP", None), (name, arg)]
        case "DELETE_DEREF" if isinstance(arg, FreeVar):
            return [(CLOSURE, arg), *_apply(hooks.DELETE_CELL), ("POP_TOP", None), (name, arg)]
        case "BINARY_SUBSCR":
            return _apply(hooks.LOAD_ITEM, 2)
        case "STORE_SUBSCR":
            return [*_apply(hooks.STORE_ITEM, 3), ("POP_TOP", None)]
        case "DELETE_SUBSCR":
            return [*_apply(hooks.DELETE_ITEM, 2), ("POP_TOP", None)]
        case "BINARY_OP":
            return _apply(hooks.BINARY[int(arg)], 2)
        case "MATCH_CLASS":
            return [("COPY", 3), *_apply(hooks.MATCH), ("POP_TOP", None), (name, arg)]
        case "IS_OP":
            return _apply(hooks.IS_NOT if arg else hooks.IS, 2)
        case "GET_ITER":
            return [*_apply(hooks.ITERATE), (name, None)]
        case "FOR_ITER":
            return [(name, arg), *_apply(hooks.ELEMENT)]
        case "BEFORE_WITH":
            return [*_apply(hooks.ENTER), (name, None)]
        case "IMPORT_FROM":
            return [(name, arg), *_apply(hooks.LOADED)]
        case "CALL" | "CALL_KW" | "CALL_FUNCTION_EX":
            return [(name, arg), *_apply(hooks.RESULT)]
        case _:
            return None


LOADS = ("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_ATTR")
CALLS = ("KW_NAMES", "PRECALL", "CALL", "CALL_KW", "CALL_FUNCTION_EX")
"""How calls begin: with the first of these."""
INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
"""Code that runs as a part of a function."""
APPENDING = ("append", "extend", "appendleft")


def _name(item: Any) -> str:
    return getattr(item, "name", "")


def _method(name: str, arg: Any) -> str:
    """The method that an instruction loads to be called."""
    if name == "LOAD_METHOD":
        return arg
    called, text = cast("tuple[bool, str]", arg) if name == "LOAD_ATTR" and isinstance(arg, tuple) else (False, "")
    return text if called else ""


def _callee(items: list[Any], k: int) -> Emitted:
    """What shows a hook the callable of the call that begins here, without taking it from the stack."""
    name = _name(items[k])
    if name not in CALLS or (k and _name(items[k - 1]) in ("KW_NAMES", "PRECALL")):
        return []
    call = next(item for item in items[k:] if _name(item).startswith("CALL"))
    above = (2 if call.arg & 1 else 1) if call.name == "CALL_FUNCTION_EX" else call.arg + (call.name == "CALL_KW")
    return [("COPY", above + (2 if NULL_LAST else 1)), *_apply(hooks.CALLEE), ("POP_TOP", None)]


def _is_called(items: list[Any], k: int) -> bool:
    """Whether a variable is loaded to be called."""
    beside = k + 1 if NULL_LAST else k - 1
    return 0 <= beside < len(items) and _name(items[beside]) == "PUSH_NULL"


_known: dict[int, tuple[CodeType, CodeType]] = {}


def instrumented(code: CodeType) -> CodeType:
    """The code with hooks; that of functions inside it too. Equal code of another file is other code."""
    found = _known.get(id(code))
    if found is None:
        if len(_known) >= REMEMBERED:
            _known.clear()
        found = _known[id(code)] = code, _instrumented(code)
    return found[1]


def _instrumented(code: CodeType) -> CodeType:
    abstract = Bytecode.from_code(code)
    new: list[Any] = []
    items: list[Any] = list(abstract)
    for k, item in enumerate(items):
        emitted: Emitted | None = None
        if isinstance(item, Instr):
            arg = cast(Any, None if item.arg is UNSET else item.arg)
            if item.name == "LOAD_CONST" and isinstance(arg, CodeType):
                emitted = [("LOAD_CONST", instrumented(arg))]
            elif item.name == "RESUME" and arg == 0 and code.co_name not in INLINE:
                hook = hooks.Entered(code)
                emitted = [(item.name, arg), ("LOAD_CONST", hook), ("LOAD_CONST", 0), SUBSCRIPT, ("POP_TOP", None)]
            elif _method(item.name, arg) in APPENDING and k and _name(items[k - 1]) in LOADS:
                emitted = _called(_apply(hooks.LoadAppend(_method(item.name, arg))))
            else:
                emitted = _rewritten(item.name, arg)
                if item.name in ("LOAD_FAST", "LOAD_DEREF") and _is_called(items, k):
                    emitted = [*(emitted or [(item.name, arg)]), *_apply(hooks.CALLED)]
            before = _callee(items, k)
            if before:
                emitted = [*before, *(emitted or [(item.name, arg)])]
        if emitted is None:
            new.append(item)
        else:
            place = item.location
            new += [Instr(n, location=place) if a is None else Instr(n, a, location=place) for n, a in emitted]
    abstract[:] = new
    made = abstract.to_code()
    return made.replace(co_consts=(*made.co_consts, Original(code)))


class Instrumentation:
    """The functions whose code is exchanged at the moment."""

    def __init__(self) -> None:
        self._functions: dict[int, tuple[FunctionType, CodeType]] = {}

    def add(self, function: FunctionType) -> CodeType | None:
        """Exchanges a function's code, until `take_out`; gives that, unless it is exchanged already."""
        code = function.__code__
        if id(function) in self._functions or original(code) is not code:
            return None
        self._functions[id(function)] = function, code
        function.__code__ = instrumented(code)
        return code

    def has(self, function: FunctionType) -> bool:
        """Whether a function's code is exchanged."""
        return id(function) in self._functions

    def take_out(self) -> None:
        """Gives all functions their own code back."""
        for function, code in self._functions.values():
            function.__code__ = code
        self._functions.clear()


__all__ = ["Instrumentation", "instrumented"]
