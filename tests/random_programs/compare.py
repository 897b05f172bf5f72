"""Runs a random program eagerly and compiled, and tells whether anybody could see a difference.

Compared are, after every call: what it returned and what it did to arguments and state (values, types, shapes,
`requires_grad`, gradients and whether there are any, Python values, the random numbers that come next); gradients that
are taken from outside afterwards; who sees it when each tensor is written to; and the type of what was raised, after
which a compiled call must have left everything as it was. One that ran uncompiled, and has said so, leaves what the
eager call leaves.
"""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import irtool as torch
import numpy as np
from irtool import Tensor, nn

from .generate import Program
from .state import State, namespace

TINY = {np.dtype(np.float32): float(np.finfo(np.float32).tiny), np.dtype(np.float64): float(np.finfo(np.float64).tiny)}
TOLERANCE = {np.dtype(np.float32): 2e-4, np.dtype(np.float64): 1e-9}
"""Of the largest element of a tensor, since sums may be taken in another order."""
REFUSALS = ("a function being compiled", "inside a compiled function", "compiled function", "being traced")
"""What errors say that refuse a program to be compiled, which is no difference."""
UNCOMPILED = "run uncompiled"
"""What the warning says of calls that run as they are."""

Record = dict[str, Any]


class Raised:
    """An error, of which only the type is compared."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raised) and type(self.error) is type(other.error)

    def __repr__(self) -> str:
        return repr(self.error)


@dataclass
class Outcome:
    """What could be seen of all calls of a program."""

    records: list[Record] = field(default_factory=list)
    error: BaseException | None = None
    before: Record = field(default_factory=dict)
    """What the call that raised has found."""
    left: Record = field(default_factory=dict)
    """What it has left."""


def flattened(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The leaves of containers, modules and optimizers, under a path each."""
    if isinstance(value, (list, tuple)):
        yield path, f"{type(value).__name__} of {len(value)}"
        for i, x in enumerate(value):
            yield from flattened(x, f"{path}[{i}]")
    elif isinstance(value, dict):
        yield path, f"dict of {list(value)}"
        for key, x in value.items():
            yield from flattened(x, f"{path}[{key!r}]")
    elif isinstance(value, nn.Module):
        yield from flattened(value.training, f"{path}.training")
        yield from flattened(dict(value.named_parameters()), path)
        yield from flattened(dict(value.named_buffers()), path)
    elif isinstance(value, torch.optim.Optimizer):
        yield from flattened(value.state_dict(), path)
    elif isinstance(value, State):
        for key, x in vars(value).items():
            yield from flattened(x, f"{path}.{key}")
    else:
        yield path, value


def seen(t: Tensor) -> Any:
    """All that can be seen of a tensor, except its gradient."""
    return (str(t.dtype), tuple(t.shape), t.requires_grad, t.is_leaf), t.detach().numpy().copy()


def described(things: dict[str, Any]) -> Record:
    """What can be seen of things."""
    record: Record = {}
    for name, thing in things.items():
        for path, value in flattened(thing, name):
            if isinstance(value, Tensor):
                record[path] = seen(value)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    grad = value.grad
                record[f"{path}.grad"] = None if grad is None else seen(grad)
            elif not callable(value):
                record[path] = value
    return record


def tensors(things: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors among things."""
    pairs = [pair for name, thing in things.items() for pair in flattened(thing, name)]
    return {path: value for path, value in pairs if isinstance(value, Tensor)}


def aliasing(things: dict[str, Any]) -> Record:
    """Who sees it when each tensor is written to."""
    # Step counts of optimizers are often one tensor, which is a matter of the optimizer's.
    found = {path: t for path, t in tensors(things).items() if not path.endswith("['step']")}
    arrays = {path: t.detach().numpy() for path, t in found.items()}
    before = {path: array.tobytes() for path, array in arrays.items()}
    record: Record = {}
    for number, (path, array) in enumerate(arrays.items()):
        if not array.size:
            continue
        array[...] = ~array if array.dtype == bool else 100 + number
        now = {other: seen.tobytes() for other, seen in arrays.items()}
        record[f"writing to {path}"] = [other for other in now if now[other] != before[other]]
        before = now
    return record


def outside_gradients(things: dict[str, Any], outputs: Any) -> Record:
    """What backward from outside does, from all outputs at once."""
    found = {id(t): t for t in tensors({"out": outputs}).values() if t.requires_grad}
    try:
        if found:
            sum((t * t).sum().double() for t in found.values()).backward()
    except RuntimeError as error:
        return {"backward outside": Raised(error)}
    return {"backward outside": None, **{f"after backward, {key}": value for key, value in described(things).items()}}


def observe(program: Program, wrap: Callable[[Any], Any]) -> Outcome:
    """Runs a program. `wrap` makes the function that is called."""
    env = namespace()
    name = f"<program {program.seed}>"
    text = program.text()
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), env)
    function, outcome, m = wrap(env["f"]), Outcome(), env["m"]
    for k in range(program.calls):
        args = env["arguments"](k)
        torch.manual_seed(100 + k)
        things = {"m": m, "args": args}
        before = described({**things, "random": torch.get_rng_state()})
        try:
            output = function(*args)
        except Exception as error:
            outcome.error, outcome.before = error, before
            outcome.left = described({**things, "random": torch.get_rng_state()})
            break
        things["out"] = output
        record = described({**things, "random": torch.rand(2)})
        outcome.records.append(record)
        if k == 0:
            outcome.records.append(outside_gradients(things, output))
        if k == program.calls - 1:
            outcome.records.append(aliasing(things))
    return outcome


def differences(eager: Record, compiled: Record) -> list[str]:
    """How two records differ, in words."""
    if is_refused(compiled):
        return []
    raised = eager.get("backward outside"), compiled.get("backward outside")
    if raised[0] != raised[1]:
        return [f"backward outside: eager {raised[0]}, compiled {raised[1]}"]
    found = [f"{key} is missing" for key in eager if key not in compiled]
    found += [f"{key} is too much" for key in compiled if key not in eager]
    for key, want in eager.items():
        if key in compiled and not same(want, compiled[key]):
            found.append(f"{key}: eager {show(want)}, compiled {show(compiled[key])}")
    return found


def is_refused(record: Record) -> bool:
    """Whether going back from the outputs was refused."""
    raised = record.get("backward outside")
    return isinstance(raised, Raised) and is_refusal(raised.error)


def show(value: Any) -> str:
    """A value on one line."""
    return " ".join(repr(value).split())[:400]


def same(want: Any, got: Any) -> bool:
    """Whether two descriptions are the same, as far as rounding allows."""
    if isinstance(want, tuple) and len(want) == 2 and isinstance(want[1], np.ndarray):
        return isinstance(got, tuple) and want[0] == got[0] and close(want[1], got[1])
    if isinstance(want, float) and isinstance(got, float):
        return bool(np.isclose(want, got, rtol=1e-5, atol=1e-7, equal_nan=True))
    return type(want) is type(got) and bool(want == got)


def close(want: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays hold the same numbers; magnitudes of denormals count as zero."""
    if want.dtype.kind != "f":
        return np.array_equal(want, got)
    tiny = TINY[want.dtype]
    want, got = (np.where(np.abs(a) < tiny, 0, a) for a in (want, got))
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)) or not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return False
    scale = max(float(np.abs(want[finite]).max(initial=0.0)), 1e-3)
    return bool((np.abs(want[finite] - got[finite]) <= TOLERANCE[want.dtype] * scale).all())


@dataclass
class Verdict:
    """What comparing came to."""

    differences: list[str]
    refused: str = ""
    """What a compiled call said that could not be compiled."""
    error: str = ""
    """What both have raised."""


def is_refusal(error: BaseException) -> bool:
    """Whether an error says that a program cannot be compiled."""
    return isinstance(error, (RuntimeError, TypeError)) and any(text in str(error) for text in REFUSALS)


def compare(program: Program, target: str = "reference") -> Verdict:
    """Whether a program does the same compiled as it does eagerly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        eager = observe(program, lambda f: f)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        compiled = observe(program, lambda f: torch.compile(f, target=target, keep_gradients=True))
    if isinstance(eager.error, NameError):  # a statement was left out
        return Verdict([])
    found: list[str] = []
    for want, got in zip(eager.records, compiled.records):
        found += differences(want, got)
        if is_refused(got):  # from here on there are gradients in eager code only
            return Verdict(found, refused=str(got["backward outside"].error))
    changed = differences(compiled.before, compiled.left)
    if changed and any(UNCOMPILED in str(w.message) for w in warned):
        changed = differences(eager.left, compiled.left)
    found += [f"after what was raised: {change}" for change in changed]
    if compiled.error is not None and is_refusal(compiled.error) and not (eager.error and is_refusal(eager.error)):
        return Verdict(found, refused=str(compiled.error))
    if type(eager.error) is not type(compiled.error):
        found.append(f"eager raised {eager.error!r}, compiled {compiled.error!r}")
    return Verdict(found, error=type(eager.error).__name__ if eager.error else "")
