"""What a launch of a program at the gpu level needs to know, read off the host function: its instructions.

    %v = memref.view %arena[%c256][] : …            {"kernel": "softmax", "grid": [64, 1, 1], "block": [256, 1, 1],
    gpu.launch_func @kernels::@softmax         ->    "shared": 0, "line": "train.py:3",
        blocks in (64, 1, 1) … args(%x, %v)          "arguments": [[["buffer", 0], [0, []]], [["arena"], [256, []]]], …}
    scf.for %t = 0 to 60 step 1 { … }               {"loop": "i0", "range": [0, 60, 1], "body": […]}

An offset is `[constant, [[atom, factor], …]]` in bytes; an atom is the name of a loop's variable, or
`["mod", offset, n]` or `["div", offset, n]`. `places` says of each argument in which of `arena_buffers` or
`workspace_buffers` it lies, and its bytes. The plan is JSON: a cached program has it beside its code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from xdsl.dialects import arith, func, gpu, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from ...codegen.cuda.cuda import CudaProgram, Kernel
from ...codegen.memory import element_bytes
from ...codegen.types import strides_of
from ...dialects.locations import describe
from ...dialects.marks import ARENA_ATTRIBUTE, OUT_ATTRIBUTE, RESULT_ATTRIBUTE, WORKSPACE_ATTRIBUTE
from ...dialects.types import dtype_by_name, is_memref, memref_of
from ...passes.interface import argument_marks
from ...passes.pass_base import fail
from ..plan import buffer_plan, host_of

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

Offset = list[Any]
"""As in the plan."""


@dataclass(frozen=True)
class AffineSum:
    """A sum of atoms, each times a factor, and a constant."""

    constant: int = 0
    terms: tuple[tuple[Any, int], ...] = ()

    def __add__(self, other: AffineSum) -> AffineSum:
        factors: dict[str, tuple[Any, int]] = {}
        for atom, factor in (*self.terms, *other.terms):
            factors[repr(atom)] = (atom, factors.get(repr(atom), (atom, 0))[1] + factor)
        return AffineSum(self.constant + other.constant, tuple(term for term in factors.values() if term[1]))

    def times(self, factor: int) -> AffineSum:
        """All of it multiplied."""
        return AffineSum(self.constant * factor, tuple((atom, f * factor) for atom, f in self.terms if factor))

    def reduced(self, how: str, divisor: int) -> AffineSum:
        """The quotient (`div`) or the rest (`mod`) of a division."""
        if not self.terms:
            return AffineSum(evaluate_division(how, self.constant, divisor))
        return AffineSum(0, (([how, self.as_plan(), divisor], 1),))

    def as_plan(self) -> Offset:
        """The JSON of it."""
        return [self.constant, [[a, f] for a, f in self.terms]]


def evaluate_division(how: str, number: int, divisor: int) -> int:
    """Of numbers that are not negative."""
    return number % divisor if how == "mod" else number // divisor


def evaluate(offset: Offset, variables: Mapping[str, int]) -> int:
    """An offset of the plan, in a round of the loops around it."""
    constant, terms = offset
    return constant + sum(_value(atom, variables) * factor for atom, factor in terms)


def _value(atom: Any, variables: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        return variables[atom]
    how, inner, divisor = atom
    return evaluate_division(how, evaluate(inner, variables), divisor)


@dataclass(frozen=True)
class PlannedView:
    """Where a buffer of the host function lies."""

    base: tuple[Any, ...]
    """("buffer", k), ("arena",) or ("workspace",)."""
    offset: AffineSum
    planned: int | None = None
    """Of the arena and the workspace: which of their buffers it is a part of."""


class LaunchPlan:
    """The instructions of a host function, and the buffers that the arena and the workspace hold."""

    def __init__(self, host: func.FuncOp, kernels: Mapping[str, Kernel]) -> None:
        self._kernels = kernels
        self._values: dict[SSAValue, AffineSum] = {}
        self._views: dict[SSAValue, PlannedView] = {}
        self._planned: dict[str, dict[tuple[Any, ...], int]] = {"arena": {}, "workspace": {}}
        self.buffers: dict[str, list[list[Any]]] = {"arena": [], "workspace": []}
        """Of the arena and the workspace: offset, bytes, name, line and bytes of an element of each buffer."""
        self._bytes: dict[str, int] = {}
        self._loops = 0
        self.results: set[int] = set()
        """The buffers that the caller wants back."""
        number = 0
        for argument, marks in zip(host.body.block.args, argument_marks(host), strict=True):
            if ARENA_ATTRIBUTE in marks or WORKSPACE_ATTRIBUTE in marks:
                role = "arena" if ARENA_ATTRIBUTE in marks else "workspace"
                self._views[argument] = PlannedView((role,), AffineSum())
                self._bytes[role] = span_bytes(argument)
                continue
            self._views[argument] = PlannedView(("buffer", number), AffineSum())
            if OUT_ATTRIBUTE in marks or RESULT_ATTRIBUTE in marks:
                self.results.add(number)
            number += 1
        self.instructions = self._block(host.body.block)

    def _block(self, block: Block) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for op in block.ops:
            if isinstance(op, gpu.LaunchFuncOp):
                found.append(self._launch(op))
            elif isinstance(op, scf.ForOp):
                found.append(self._loop(op))
            elif isinstance(op, func.ReturnOp | scf.YieldOp):
                continue
            elif op.results and is_memref(op.results[0].type):
                self._views[op.results[0]] = self._view(op)
            elif op.results:
                self._values[op.results[0]] = self._number(op)
            else:
                fail(op, f"a host function on a GPU has launches and loops around them, not {op.name}")
        return found

    def _loop(self, op: scf.ForOp) -> dict[str, Any]:
        bounds = [self._values[v] for v in (op.lb, op.ub, op.step)]
        if op.res or any(bound.terms for bound in bounds):
            fail(op, "a loop of launches has constant bounds, and carries nothing but its counter")
        name = f"i{self._loops}"
        self._loops += 1
        self._values[op.body.block.args[0]] = AffineSum(0, ((name, 1),))
        return {"loop": name, "range": [b.constant for b in bounds], "body": self._block(op.body.block)}

    def _launch(self, op: gpu.LaunchFuncOp) -> dict[str, Any]:
        symbol = op.kernel.nested_references.data[-1].data
        kernel = self._kernels.get(symbol)
        if kernel is None:
            fail(op, f"no kernel @{symbol} to launch")
        arguments: list[list[Any]] = []
        places: list[list[Any]] = []
        for operand in op.kernelOperands:
            if operand in self._views:
                view = self._views[operand]
                planned, size = view.planned, span_bytes(operand)
                if view.base[0] in self._bytes and planned is None:  # all of it, which the kernel has views of
                    size = self._bytes[view.base[0]]
                    planned = self._planned_buffer(view.base[0], 0, size, op, "", 1)
                arguments.append([list(view.base), view.offset.as_plan()])
                places.append([planned, size])
            else:
                arguments.append([["number"], self._values[operand].as_plan()])
                places.append([None, 0])
        return {
            "kernel": kernel.name,
            "grid": [self._size(op, v) for v in (op.gridSizeX, op.gridSizeY, op.gridSizeZ)],
            "block": [self._size(op, v) for v in (op.blockSizeX, op.blockSizeY, op.blockSizeZ)],
            "shared": kernel.shared,
            "line": describe(op.location),
            "arguments": arguments,
            "places": places,
        }

    def _size(self, op: Operation, value: SSAValue) -> int:
        number = self._values[value]
        if number.terms:
            fail(op, "the size of a launch is constant")
        return number.constant

    def _number(self, op: Operation) -> AffineSum:
        if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
            return AffineSum(op.value.value.data)
        known = [self._values[o] for o in op.operands if o in self._values]
        if len(known) == len(op.operands):
            match op:
                case arith.AddiOp():
                    return known[0] + known[1]
                case arith.SubiOp():
                    return known[0] + known[1].times(-1)
                case arith.MuliOp() if not known[1].terms:
                    return known[0].times(known[1].constant)
                case arith.MuliOp() if not known[0].terms:
                    return known[1].times(known[0].constant)
                case arith.RemUIOp() | arith.RemSIOp() if not known[1].terms:
                    return known[0].reduced("mod", known[1].constant)
                case arith.DivUIOp() | arith.DivSIOp() if not known[1].terms:
                    return known[0].reduced("div", known[1].constant)
                case arith.IndexCastOp():
                    return known[0]
                case _:
                    pass
        fail(op, f"a host function on a GPU computes with counters of loops and constants, and not {op.name}")

    def _view(self, op: Operation) -> PlannedView:
        """Of what an op makes of a buffer."""
        source = self._views[op.operands[0]]
        match op:
            case memref.ViewOp():
                return self._planned_view(op, source)
            case memref.SubviewOp():
                strides = strides_of(memref_of(op.source))
                starts = self._mixed(op.static_offsets.get_values(), op.offsets)
                offset = sum((s.times(n) for s, n in zip(starts, strides, strict=True)), AffineSum())
            case memref.ReinterpretCastOp():
                offset = self._mixed(op.static_offsets.get_values(), op.offsets)[0]
            case memref.CastOp() | memref.CollapseShapeOp() | memref.ExpandShapeOp():
                return source
            case _:
                fail(op, f"a host function on a GPU has views of its buffers, and not {op.name}")
        size = element_bytes(memref_of(op.operands[0]).element_type)
        return PlannedView(source.base, source.offset + offset.times(size), source.planned)

    def _mixed(self, static: Any, dynamic: Any) -> list[AffineSum]:
        rest = iter(dynamic)
        return [self._values[next(rest)] if n == DYNAMIC_INDEX else AffineSum(int(n)) for n in static]

    def _planned_view(self, op: memref.ViewOp, source: PlannedView) -> PlannedView:
        """A buffer of the arena or the workspace: views of the same bytes as the same elements are one."""
        shift = source.offset + self._values[op.byte_shift]
        role = source.base[0]
        if role == "buffer" or shift.terms:
            fail(op, "the arena and the workspace are viewed at constant places")
        result = op.results[0]
        element, size = element_bytes(memref_of(result).element_type), span_bytes(result)
        planned = self._planned_buffer(role, shift.constant, size, op, result.name_hint or "", element)
        return PlannedView((role,), shift, planned)

    def _planned_buffer(self, role: str, offset: int, size: int, op: Operation, name: str, element: int) -> int:
        known, buffers = self._planned[role], self.buffers[role]
        key = (offset, size, element)
        if key not in known:
            known[key] = len(buffers)
            buffers.append([offset, size, name, describe(op.location), element])
        return known[key]


def span_bytes(value: SSAValue) -> int:
    """How many bytes lie between the first and the last element of a buffer, both included."""
    type_ = memref_of(value)
    shape = type_.get_shape()
    if 0 in shape:
        return 0
    last = sum((n - 1) * stride for n, stride in zip(shape, strides_of(type_), strict=True))
    return (last + 1) * element_bytes(type_.element_type)


def launch_plan(module: ModuleOp, program: CudaProgram, interface: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plan of a module at the gpu level; `interface`: that of the tensors that it had."""
    host = host_of(module)
    plan = LaunchPlan(host, program.kernels)
    return {
        **buffer_plan(host, interface),
        "launches": plan.instructions,
        "arena_buffers": plan.buffers["arena"],
        "workspace_buffers": plan.buffers["workspace"],
        "written": sorted(plan.results),
        "functions": {kernel.name: _facts(kernel) for kernel in program.kernels.values()},
        "kernels": [{"name": i["kernel"], "line": i["line"]} for i in launches(plan.instructions)],
    }


def launches(instructions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The launches among instructions, those in loops once."""
    found: list[dict[str, Any]] = []
    for instruction in instructions:
        body = cast("list[dict[str, Any]] | None", instruction.get("body"))
        found += [instruction] if body is None else launches(body)
    return found


def _facts(kernel: Kernel) -> dict[str, Any]:
    return {
        "parameters": list(kernel.parameters),
        "written": list(kernel.written),
        "types": list(kernel.types),
        "collective": kernel.collective,
    }


def buffer_sizes(plan: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The bytes and the bytes of an element of each buffer of a call."""
    arguments: list[Mapping[str, Any]] = plan["arguments"]
    described = dict(enumerate(arguments))
    described |= {found["buffer"]: found for found in plan["results"] if "buffer" in found}
    sizes: list[tuple[int, int]] = []
    for number in range(plan["buffers"]):
        element = dtype_by_name(described[number]["dtype"]).itemsize
        sizes.append((math.prod(described[number]["shape"]) * element, element))
    return sizes
