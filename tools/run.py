"""`irtool run`: evaluates a program at any level on given or generated arguments."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp

from ..dialects.locations import blamed_on, file_and_line
from ..dialects.text import parse_module
from ..dialects.types import TensorSpec, dtype_by_name
from ..passes.pass_base import PassError
from ..runtime.denormals import without_denormals
from .opt import read
from .output import with_suffix, write, write_bytes


def run_file(
    file: str, inputs: str | None, seed: int, target: str | None, threads: int | None, output: str | None
) -> None:
    """Runs the command; errors go through `reported`."""
    from ..passes.verify import verify
    from ..runtime.lowering import level_of
    from ..runtime.plan import host_of

    text, name = read(file)
    module = parse_module(text, name)
    verify(module)
    if threads is not None:
        from ..runtime.threads import set_num_threads

        set_num_threads(threads)
    names = _apart([argument.name_hint or f"arg{i}" for i, argument in enumerate(host_of(module).body.block.args)])
    results = _run(module, target or ("reference" if level_of(module) is None else "cpu"), names, inputs, seed)
    # Moves keep denormals, arithmetic need not: which it was depends on the level.
    results = [without_denormals(value) for value in results]
    _check_record(host_of(module), results)
    if output is not None:
        archive = io.BytesIO()
        np.savez(archive, **{f"result{k}": value for k, value in enumerate(results)})  # pyright: ignore
        write_bytes(archive.getvalue(), with_suffix(output, ".npz"))
        return
    for k, value in enumerate(results):
        text = np.array2string(value, threshold=64, precision=6)
        write(f"result{k}: {value.dtype}{list(value.shape)}\n{text}\n", None)


def _apart(hints: list[str]) -> list[str]:
    """Names as IR shows them: %w, and %w_1 for the next of that name."""
    names: dict[str, None] = {}
    for hint in hints:
        name, number = hint, 1
        while name in names:
            name, number = f"{hint}_{number}", number + 1
        names[name] = None
    return list(names)


def _run(module: ModuleOp, target: str, names: list[str], inputs: str | None, seed: int) -> list[np.ndarray]:
    from ..runtime.compiler import compile_module
    from ..runtime.plan import host_of
    from ..runtime.storage import aligned_empty

    program = compile_module(module, target)
    plan = program.plan
    buffers: list[np.ndarray] = [np.empty(0)] * plan["buffers"]
    with blamed_on(host_of(module)):
        specs = [_spec(entry) for entry in plan["arguments"]]
        values = arguments(specs, names, inputs, seed, plan["errors"]["argument"])
        for i, value in enumerate(values):
            buffers[i] = _aligned(value)
        for entry in plan["results"]:
            if "buffer" in entry:
                buffers[entry["buffer"]] = aligned_empty(_spec(entry))
        call = program.bind()
        call.run([(i, buffer.__array_interface__["data"][0]) for i, buffer in enumerate(buffers)])
    return [buffers[entry["buffer"] if "buffer" in entry else entry["argument"]] for entry in plan["results"]]


def _record(host: FuncOp) -> int | None:
    """Which argument is the record of errors."""
    from ..passes.hl.checks import errors_argument

    found = errors_argument(host)
    return None if found is None else found.index


def _check_record(host: FuncOp, results: list[np.ndarray[Any, Any]]) -> None:
    """Raises what a failed check says. The numbers of the record are among the results."""
    from ..dialects.marks import RESULT_ATTRIBUTE
    from ..passes.hl.checks import checks_of
    from ..passes.interface import argument_marks

    position = _record(host)
    mark: Any = None if position is None else argument_marks(host)[position].get(RESULT_ATTRIBUTE)
    if mark is None:
        return
    index: int = mark.value.data
    record: list[Any] = results[index].tolist()
    number, place, value = record
    check = next((check for check in checks_of(host) if check.number == number), None)
    if check is not None:
        where = f" (at {check.line})" if check.line and not file_and_line(check.location) else ""
        message = check.message.replace("{value}", str(value))
        raise PassError(f"{check.error}: {message}{where}; the element at position {place} is {value}", check.location)
    if number:
        raise ValueError(f"check {number} failed: the element at position {place} is {value}")


def _spec(entry: dict[str, Any]) -> TensorSpec:
    return TensorSpec(tuple(entry["shape"]), dtype_by_name(entry["dtype"]))


def _aligned(value: np.ndarray) -> np.ndarray:
    from ..dialects.types import dtype_of_numpy
    from ..runtime.storage import aligned_empty

    copy = aligned_empty(TensorSpec(value.shape, dtype_of_numpy(value.dtype)))
    copy[...] = value
    return copy


class NotTheArguments(ValueError):
    """A file that does not hold the arguments of a program."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.location = FileLineColLoc(StringAttr(path), IntAttr(0), IntAttr(0))


def _arrays(path: str) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as file:
            return dict(np.load(file, allow_pickle=False))
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError):
        raise NotTheArguments(path, "expected arrays of numbers by name, as numpy.savez writes them") from None


def arguments(
    specs: list[TensorSpec], names: list[str], inputs: str | None, seed: int, record: int | None = None
) -> list[np.ndarray]:
    """Arrays for the arguments: from the file, by name or position, checked; else generated from the seed.

    Floats are standard normal, integers 0 to 9, booleans either, the record of errors (by number) empty.
    """
    given = _arrays(inputs) if inputs is not None else {}
    rng = np.random.default_rng(seed)
    values: list[np.ndarray] = []
    for i, (spec, name) in enumerate(zip(specs, names)):
        value = given.pop(name, None)
        value = given.pop(f"arg{i}", None) if value is None else value
        if value is None and i == record:
            value = np.zeros(spec.shape, spec.dtype.numpy)
        elif value is None:
            if inputs is not None:
                raise NotTheArguments(inputs, f"no array for argument {i}, %{name}: {spec}")
            value = generate(spec, rng)
        elif inputs is not None and (value.shape != spec.shape or value.dtype != spec.dtype.numpy):
            raise NotTheArguments(inputs, f"expected {spec} for %{name}, got {value.dtype}{list(value.shape)}")
        values.append(value)
    if inputs is not None and given:
        raise NotTheArguments(inputs, f"{', '.join(given)} match no argument; the arguments are {', '.join(names)}")
    return values


def generate(spec: TensorSpec, rng: np.random.Generator) -> np.ndarray:
    """Values for an argument that nobody gave."""
    if spec.dtype.kind == "float":
        return rng.standard_normal(spec.shape).astype(spec.dtype.numpy)
    high = 2 if spec.dtype.kind == "bool" else 10
    return rng.integers(0, high, spec.shape).astype(spec.dtype.numpy)
