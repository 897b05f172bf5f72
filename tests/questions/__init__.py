"""What functions ask Python about a number, and do with it: rows that are called eagerly and compiled, and compared.

    expressions.txt    a line is a row: an expression of a tensor `x` and a number `s`
    kinds.py …         a function is a row: of `x` and `s`, or of nothing, making the function to call

`counts, huge: x[s:]` names the sequences of values (`values.py`) that a row is meant for; by default it meets all.
Rows may write to `log` (a list), `memo` (a dictionary) and `o` (an object): new for each run, compared after each call.
Rows run in variants: what is made of an expression (`FORMS`), where the number comes from (`PLACES`), its values.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import random
import re
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import irtool

from . import classes, control, kinds, library, memory, names, objects, training
from .compare import Outcome, describe, difference
from .values import SEQUENCES, SIZES

HERE = Path(__file__).parent
EXPRESSIONS = HERE / "expressions.txt"

FORMS = {
    "value": "return {}",
    "branch": "return x * 2 if {} else x - 1",
    "factor": "return x * {}",
    "both": "q = {}; return x + s, q",
}
"""What an expression is made into."""


class Holder:
    """What a number is kept in."""

    s: Any = None


def _argument(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    return wrap(f)


def _attribute(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    holder = Holder()
    inner = wrap(lambda x: f(x, holder.s))

    def call(x: Any, s: Any) -> Any:
        holder.s = s
        return inner(x)

    return call


def _class_attribute(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    class Kept(Holder):
        pass

    inner = wrap(lambda x: f(x, Kept.s))

    def call(x: Any, s: Any) -> Any:
        Kept.s = s
        return inner(x)

    return call


def _variable(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    kept: Any = None
    inner = wrap(lambda x: f(x, kept))

    def call(x: Any, s: Any) -> Any:
        nonlocal kept
        kept = s
        return inner(x)

    return call


def _global(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    names: dict[str, Any] = {"f": f, "kept": None}
    exec(compile("def inner(x): return f(x, kept)", __file__, "exec"), names)
    inner = wrap(names["inner"])

    def call(x: Any, s: Any) -> Any:
        names["kept"] = s
        return inner(x)

    return call


def _item(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    kept: list[Any] = [None, 7]
    inner = wrap(lambda x: f(x, kept[0]))

    def call(x: Any, s: Any) -> Any:
        kept[0] = s
        return inner(x)

    return call


def _entry(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[str, Any] = {"s": None, "other": 7}
    inner = wrap(lambda x: f(x, kept["s"]))

    def call(x: Any, s: Any) -> Any:
        kept["s"] = s
        return inner(x)

    return call


def _nested(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    inner = wrap(lambda batch: f(batch["x"], batch["options"][0]))
    return lambda x, s: inner({"x": x, "options": (s, "name")})


def _keyword(f: Callable[..., Any], wrap: Callable[..., Any]) -> Callable[..., Any]:
    inner = wrap(f)
    return lambda x, s: inner(x, s=s)


PLACES: dict[str, Callable[..., Any]] = {
    "argument": _argument,
    "keyword": _keyword,
    "nested": _nested,
    "attribute": _attribute,
    "class attribute": _class_attribute,
    "variable": _variable,
    "global": _global,
    "item": _item,
    "entry": _entry,
}
"""Where the number comes from."""


@dataclass(frozen=True)
class Row:
    """One question: `make` gives a function of `x` and `s` for each of `forms`, with state of its own."""

    name: str
    forms: tuple[str, ...]
    make: Callable[[str, dict[str, Any]], Callable[..., Any]] = field(repr=False)
    sequences: tuple[str, ...]
    where: str

    def variants(self) -> list[Variant]:
        """All of them, in an order of the row's own."""
        found = [Variant(self, *v) for v in itertools.product(self.forms, PLACES, self.sequences)]
        random.Random(self.name).shuffle(found)
        return found

    def sample(self, count: int) -> list[Variant]:
        """A few: different in all respects as far as they go, and floats that agree before they differ among them."""
        first = next((s for s in ("agree", "counts") if s in self.sequences), self.sequences[0])
        chosen = [Variant(self, self.forms[0], "argument", first)]
        for v in self.variants():
            if len(chosen) < count and all(v.place != c.place and v.sequence != c.sequence for c in chosen):
                chosen.append(v)
        return chosen


@dataclass(frozen=True)
class Variant:
    """One way to run a row."""

    row: Row
    form: str
    place: str
    sequence: str

    def __str__(self) -> str:
        return f"as {self.form}, by {self.place}, {self.sequence}"

    def run(self, wrap: Callable[..., Any]) -> Iterator[Outcome]:
        """What each call of the sequence gives and leaves."""
        state = {"log": [], "memo": {}, "o": Holder()}
        f = PLACES[self.place](self.row.make(self.form, state), wrap)
        for s in SEQUENCES[self.sequence]:
            x = irtool.tensor([1.5, -2.0, 3.0])
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found, error = None, None
                try:
                    found = f(x, s)
                except KeyboardInterrupt:
                    raise
                except BaseException as e:
                    error = e
                yield Outcome(
                    s,
                    describe(found),
                    error,
                    _left(state),
                    describe(x),
                    printed.getvalue(),
                )


def _left(state: dict[str, Any]) -> Any:
    return describe((state["log"], state["memo"], vars(state["o"])))


EMPTY = _left({"log": [], "memo": {}, "o": Holder()})
"""What is there before the first call."""


def compare(variant: Variant, target: str = "reference") -> tuple[list[str], list[str]]:
    """What differs between eager and compiled calls, and where compiled ones are refused at the row's line."""

    def wrap(f: Callable[..., Any]) -> Any:
        return irtool.compile(f, target=target)

    different: list[str] = []
    refused: list[str] = []
    before = EMPTY
    for eager, compiled in zip(list(variant.run(lambda f: f)), variant.run(wrap), strict=True):
        as_eager = type(eager.error) is type(compiled.error)
        if not as_eager and isinstance(compiled.error, Exception) and variant.row.where in str(compiled.error):
            refused.append(f"{variant}: {eager.s!r}: {type(compiled.error).__name__}: {compiled.error}")
            break  # what the call would have left is not there
        if found := difference(eager, compiled, before):
            different.append(f"{variant}: {eager.s!r}: {found}")
            break
        if eager.error is not None and eager.effects != compiled.effects:
            break  # a failed call may leave everything as it was
        before = compiled.effects
    return different, refused


# The rows


def _sequences(*names: str) -> tuple[str, ...]:
    return SIZES if names == ("sizes",) else names or tuple(SEQUENCES)


def _expressions() -> Iterator[Row]:
    for number, line in enumerate(EXPRESSIONS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = re.match(rf"((?:(?:{'|'.join(SEQUENCES)}|sizes)[,:] )+)(.*)", line)
        sequences, text = (_sequences(*re.findall("[a-z]+", found[1])), found[2]) if found else (_sequences(), line)

        def make(form: str, state: dict[str, Any], text: str = text, number: int = number) -> Callable[..., Any]:
            body = FORMS[form].format(f"({text})")
            module = ast.increment_lineno(ast.parse(f"def row(x, s): {body}"), number - 1)
            scope = {**vars(names), **state}
            exec(compile(module, str(EXPRESSIONS), "exec"), scope)
            return scope["row"]

        yield Row(text, tuple(FORMS), make, sequences, f"{EXPRESSIONS.name}:{number}")


def _is_row(part: types.ModuleType, value: Any) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__ == part.__name__


def _functions() -> Iterator[Row]:
    found = [
        f
        for part in (classes, kinds, control, library, memory, objects, training)
        for f in vars(part).items()
        if _is_row(part, f[1])
    ]
    for name, f in found:

        def make(form: str, state: dict[str, Any], f: types.FunctionType = f) -> Callable[..., Any]:
            scope = {**f.__globals__, **state}
            new = types.FunctionType(f.__code__, scope, f.__name__, f.__defaults__, f.__closure__)
            new.__kwdefaults__ = f.__kwdefaults__
            return new if f.__code__.co_argcount else new()

        sequences = _sequences(*getattr(f, "sequences", ()))
        yield Row(name, ("value",), make, sequences, Path(f.__code__.co_filename).name)


def known(name: str) -> list[str]:
    """The rows that a file lists."""
    return (HERE / name).read_text().splitlines()


ROWS = {row.name: row for row in itertools.chain(_expressions(), _functions())}
