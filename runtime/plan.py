"""What a launch needs to know of a program, and what reports say of it: its plan, read off the IR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dialects.marks import ARENA_ATTRIBUTE, KERNEL_ATTRIBUTE, OUT_ATTRIBUTE, RESULT_ATTRIBUTE, WORKSPACE_ATTRIBUTE

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp
    from xdsl.ir import Operation, SSAValue


def host_of(module: ModuleOp) -> FuncOp:
    """The one function that is no kernel. Raises PassError where there is none or several."""
    from ..passes.pass_base import fail

    found = hosts(module)
    if len(found) != 1:
        names = ", ".join("@" + f.sym_name.data for f in found) or "none"
        why = f"expected one function that is no kernel, found {names}"
        fail(found[1] if found else module, f"{why}; those that it calls are kernels, marked {KERNEL_ATTRIBUTE}")
    return found[0]


def hosts(module: ModuleOp) -> list[FuncOp]:
    """The functions that are no kernels."""
    from ..passes.pass_base import functions

    return [f for f in functions(module) if KERNEL_ATTRIBUTE not in f.attributes]


def is_on_buffers(host: FuncOp) -> bool:
    """Whether a host function takes buffers; else tensors."""
    from ..dialects.types import is_memref

    return any(is_memref(argument.type) for argument in host.body.block.args)


def tensor_interface(host: FuncOp) -> dict[str, Any] | None:
    """Arguments and results of a host function on tensors; None for one on buffers."""
    from ..dialects.types import spec_of
    from ..passes.interface import check_tensors, state_arguments

    if is_on_buffers(host):
        return None
    check_tensors(host, static=True)
    arguments = [_spec(spec_of(a.type)) for a in host.body.block.args]
    position: dict[SSAValue, int] = {argument: i for i, argument in enumerate(host.body.block.args)}
    states = {index: position[argument] for index, argument in state_arguments(host).items()}
    results: list[dict[str, Any]] = []
    buffers = len(arguments)
    for index, type_ in enumerate(host.function_type.outputs):
        if index in states:
            results.append({"argument": states[index], **_spec(spec_of(type_))})
        else:
            results.append({"buffer": buffers, **_spec(spec_of(type_))})
            buffers += 1
    return {"arguments": arguments, "results": results, "buffers": buffers}


def buffer_interface(host: FuncOp) -> dict[str, Any]:
    """The same, read off the marks that arguments carry on buffers. Integers of 8 bits count as u8."""
    from ..passes.interface import argument_marks, check_buffers

    check_buffers(host)
    arguments: list[dict[str, Any]] = []
    results: dict[int, dict[str, Any]] = {}
    buffers = 0
    for argument, marks in zip(host.body.block.args, argument_marks(host)):
        if ARENA_ATTRIBUTE in marks or WORKSPACE_ATTRIBUTE in marks:
            continue
        spec = _buffer_spec(argument.type)
        if OUT_ATTRIBUTE in marks:
            results[_number(marks[OUT_ATTRIBUTE])] = {"buffer": buffers, **spec}
        elif buffers > len(arguments):
            raise ValueError(f"@{host.sym_name.data}: the buffers for results come last among the arguments")
        else:
            if RESULT_ATTRIBUTE in marks:
                results[_number(marks[RESULT_ATTRIBUTE])] = {"argument": buffers, **spec}
            arguments.append(spec)
        buffers += 1
    return {"arguments": arguments, "results": [results[k] for k in sorted(results)], "buffers": buffers}


def buffer_plan(host: FuncOp, interface: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a launch needs to know of a host function on buffers; `interface`: that of the tensors that it had."""
    return {
        **(interface or buffer_interface(host)),
        "errors": errors_interface(host),
        "arena": bytes_marked(host, ARENA_ATTRIBUTE),
        "workspace": bytes_marked(host, WORKSPACE_ATTRIBUTE),
    }


def errors_interface(host: FuncOp) -> dict[str, Any]:
    """Which argument is the record of errors, if any, and which checks come after a change of state."""
    from ..passes.hl.checks import errors_argument, late_checks

    record = errors_argument(host)
    return {"argument": None if record is None else record.index, "late": late_checks(host)}


def _spec(spec: Any) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": spec.dtype.name}


def _number(mark: Any) -> int:
    return mark.value.data


def _buffer_spec(type_: Any) -> dict[str, Any]:
    from ..dialects.types import DTYPES

    dtype = next(d for d in DTYPES if d.lowered == type_.element_type)
    return {"shape": list(type_.get_shape()), "dtype": dtype.name}


def bytes_marked(host: FuncOp, mark: str) -> int:
    from ..dialects.types import bytes_of
    from ..passes.interface import argument_marks

    marked = (a.type for a, marks in zip(host.body.block.args, argument_marks(host)) if mark in marks)
    return next((bytes_of(type_) for type_ in marked), 0)


def memory_report(host: FuncOp) -> list[dict[str, Any]]:
    """Every intermediate: its name or that of the kernel that makes it, its bytes, its place in the arena, the moments
    it lives at, and the line it comes from."""
    from xdsl.dialects.func import CallOp

    from ..dialects.locations import describe
    from ..passes.memref.plan_memory import aliases, buffers_of

    calls = [op for op in host.walk() if isinstance(op, CallOp)]
    position: dict[Operation, int] = {call: i for i, call in enumerate(calls)}

    def name(buffer: SSAValue) -> str:
        uses = [position[use.operation] for alias in aliases(buffer) for use in alias.uses if use.operation in position]
        return buffer.name_hint or (calls[min(uses)].callee.string_value() if uses else "")

    return [
        {
            "name": name(buffer.alloc.results[0]),
            "bytes": buffer.size,
            "offset": buffer.offset,
            "first": buffer.first,
            "last": buffer.last,
            "line": describe(buffer.alloc.location),
        }
        for buffer in buffers_of(host)
    ]


def kernel_report(module: ModuleOp) -> list[dict[str, Any]]:
    """Every kernel call in order: the kernel's name and the lines it comes from."""
    from xdsl.dialects.func import CallOp

    from ..dialects.locations import describe

    return [
        {"name": op.callee.string_value(), "line": describe(op.location)}
        for op in host_of(module).walk()
        if isinstance(op, CallOp)
    ]
