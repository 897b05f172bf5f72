"""From a module at the loops level to C source: a function for each kernel, and `step.c` for the host.

    void matmul(const float x[restrict 64][784], …, char *workspace, long thread, long threads);
    void step(void **buffers, char *arena, char *workspace, int threads, int flush);

Every thread of the team calls every kernel. `print_c` gives the units, `CProgram.one_file()` the same as one readable
file that compiles by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import func, memref, vector
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.ir import Operation, SSAValue

from ..dialects import spmd, vectorx
from ..dialects.locations import blamed_on, describe
from ..dialects.marks import ARENA_ATTRIBUTE, ERRORS_ATTRIBUTE, KERNEL_ATTRIBUTE, WORKSPACE_ATTRIBUTE
from .arithmetic import ARITHMETIC
from .control import CONTROL, END, print_own_mode, print_stop_label
from .conversions import CONVERSIONS
from .expr import CExpr
from .memory import MEMORY, is_bytes
from .names import RESERVED, Names
from .primitives import BARRIER, includes_for, primitives_for
from .printer import Printer, Rule, comment_text
from .semantics import SEMANTICS
from .types import Array, CodegenError, c_type
from .vectors import VECTOR

C: dict[type[Operation], Rule] = {**CONTROL, **MEMORY, **ARITHMETIC, **CONVERSIONS, **VECTOR}
"""How each op is printed as C. Another target is an overlay: `CUDA = {**C, spmd.BarrierOp: …}`."""

RECORD = (
    "buffers[{index}] is the record of errors: zeros before the call; after it, where a check has failed,\n"
    "that check's number, and the position and value of the element that it refuses"
)
"""What a caller has to know of it."""


def definition(comment: str, prototype: str, body: str) -> str:
    """A function with its comment."""
    first = f"// {comment}\n" if comment else ""
    return f"{first}{prototype}\n{{\n{body}}}\n"


@dataclass(frozen=True)
class Unit:
    """One function in C, with the declaration that its callers need."""

    name: str
    comment: str
    prototype: str
    body: str
    declarations: tuple[str, ...] = ()
    definitions: str = ""
    """What else belongs into the same file."""

    @property
    def function(self) -> str:
        """The function with its comment."""
        return definition(self.comment, self.prototype, self.body)

    @property
    def source(self) -> str:
        """The whole of a file that has no other function."""
        return file_source([self])


@dataclass(frozen=True)
class CProgram:
    """The C of a module: sources of the kernels by name, and of the host function."""

    kernels: tuple[Unit, ...]
    host_unit: Unit | None

    @property
    def units(self) -> dict[str, str]:
        """Sources of the kernels."""
        return {unit.name: unit.source for unit in self.kernels}

    @property
    def host(self) -> str:
        """The source of the host function; empty if the module has none."""
        return self.host_unit.source if self.host_unit else ""

    @property
    def entry(self) -> str:
        """The name of the host function in C."""
        return self.host_unit.name if self.host_unit else ""

    def one_file(self) -> str:
        """All of it as one file."""
        functions = [unit.function for unit in self.kernels]
        if self.host_unit:
            functions += [self.host_unit.definitions, self.host_unit.function]
        text = "\n".join(f for f in functions if f)
        flags = " ".join(("-O2", "-ftree-vectorize", "-march=native", "-fopenmp", *SEMANTICS))
        return f"// gcc {flags}\n\n{preamble(text)}{text}"


def file_source(units: Sequence[Unit]) -> str:
    """A file that compiles by itself."""
    declarations = "".join(f"{d};\n" for d in dict.fromkeys(d for unit in units for d in unit.declarations))
    functions = "\n".join(unit.definitions + unit.function for unit in units)
    text = (declarations + "\n" if declarations else "") + functions
    return preamble(text) + text


def preamble(text: str) -> str:
    """The headers and primitives that a C text needs."""
    definitions = primitives_for(text)
    includes = includes_for("\n".join([text, *definitions]))
    types = [d for d in definitions if not d.startswith("static")]
    functions = [d for d in definitions if d not in types]
    parts = ["\n".join(includes), "\n".join(types), *functions]
    return "".join(part + "\n\n" for part in parts if part)


def print_c(
    module: ModuleOp, rules: Mapping[type[Operation], Rule] = C, printed: Mapping[str, Unit] | None = None
) -> CProgram:
    """The C of a module at the loops level. `printed` are the units of kernels, by symbol, that there are already."""
    hosts, kernels = _functions(module)
    if len(hosts) > 1:
        names = ", ".join("@" + f.sym_name.data for f in hosts)
        raise CodegenError(f"expected one host function, found {names}", hosts[1].location)
    callees, printed = callee_names(module), printed or {}
    units: dict[str, Unit] = {}
    for kernel in kernels:
        name = kernel.sym_name.data
        units[name] = printed.get(name) or print_kernel(kernel, callees[name], rules)
    if not hosts:
        return CProgram(tuple(units.values()), None)
    with blamed_on(hosts[0]):
        host = print_host(hosts[0], callees, units, rules)
    return CProgram(tuple(units.values()), host)


def callee_names(module: ModuleOp) -> dict[str, str]:
    """The C names of a module's functions, by symbol."""
    hosts, kernels = _functions(module)
    names = Names(tuple(RESERVED))
    callees = {f.sym_name.data: names.fresh(f.sym_name.data) for f in hosts}
    names.fresh("step")  # whatever the host function is called, its file is step.c
    return callees | {f.sym_name.data: names.fresh(f.sym_name.data) for f in kernels}


def _functions(module: ModuleOp) -> tuple[list[func.FuncOp], list[func.FuncOp]]:
    """Host functions and kernels."""
    functions = [op for op in module.body.block.ops if isinstance(op, func.FuncOp)]
    kernels = [f for f in functions if KERNEL_ATTRIBUTE in f.attributes]
    return [f for f in functions if KERNEL_ATTRIBUTE not in f.attributes], kernels


def print_kernel(function: func.FuncOp, name: str, rules: Mapping[type[Operation], Rule] = C) -> Unit:
    """A kernel: its arguments are buffers, it is called by every thread."""
    with blamed_on(function):
        return _print_kernel(function, name, rules)


def _print_kernel(function: func.FuncOp, name: str, rules: Mapping[type[Operation], Rule]) -> Unit:
    p = Printer(rules, Names((name, "thread", "threads")))
    block = _only_block(function)
    parameters: list[str] = []
    for argument in block.args:
        if isinstance(argument.type, MemRefType):
            made = _buffer(p, argument)
            parameters.append(parameter(made, argument))
        else:
            made = p.names.fresh(argument.name_hint or "x")
            p.values[argument] = CExpr(made)
            parameters.append(f"{c_type(argument.type)} {made}")
    p.block(block)
    prototype = signature(f"void {name}", [*parameters, "long thread", "long threads"])
    return Unit(name, comment_text(describe(function.location)), prototype, text_of(p))


def print_host(
    function: func.FuncOp,
    callees: Mapping[str, str],
    kernels: Mapping[str, Unit],
    rules: Mapping[type[Operation], Rule],
) -> Unit:
    """The host function: takes all buffers as one array of pointers."""
    name = callees[function.sym_name.data]
    p = Printer(
        rules, Names((*callees.values(), "buffers", "arena", "workspace", "thread", "threads", "team", "flush", "mode"))
    )
    p.callees = callees
    p.thread, p.threads = "0", "1"
    block = _only_block(function)
    roles = buffer_roles(function)
    for position, argument in enumerate(block.args):
        if not isinstance(argument.type, MemRefType):
            message = f"argument {position} of the host function @{name} is {argument.type}, not a memref"
            raise CodegenError(message, function.location)
        if role := roles.get(position):
            p.arrays[argument] = Array(role, "char", (), (1,))
            continue
        made = p.add_array(argument)
        if argument.first_use is not None:
            p.line(f"{made.pointer(made.name)} = buffers[{buffer_index(roles, position)}];")
    calls = [o for o in function.walk() if isinstance(o, func.CallOp)]
    if any(not _in_team(call) for call in calls):
        print_own_mode(p, block, END)
    else:
        p.block(block)
        print_stop_label(p, block, END)
    called = dict.fromkeys(call.callee.string_value() for call in calls)
    declarations = tuple(kernels[c].prototype for c in called if c in kernels)
    prototype = f"void {name}(void **buffers, char *arena, char *workspace, int threads, int flush)"
    export = '__attribute__((visibility("default")))\n'
    comment = comment_text(describe(function.location))
    record = next((k for k, marks in enumerate(function.arg_attrs or ()) if ERRORS_ATTRIBUTE in marks.data), None)
    if record is not None:
        lines = [comment, *RECORD.format(index=buffer_index(roles, record)).splitlines()]
        comment = "\n// ".join(line for line in lines if line)
    body = text_of(p)
    waits = any("barrier(" in text for text in (body, *(unit.body for unit in kernels.values())))
    return Unit(name, comment, export + prototype, body, declarations, BARRIER + "\n" if waits else "")


def _in_team(op: Operation) -> bool:
    parent = op.parent_op()
    return parent is not None and (isinstance(parent, spmd.ParallelOp) or _in_team(parent))


def buffer_roles(function: func.FuncOp) -> dict[int, str]:
    """Which arguments of the host function are the arena and the workspace: those marked so, whatever their names."""
    roles: dict[int, str] = {}
    for position, marks in enumerate(function.arg_attrs or ()):
        for mark, role in ((ARENA_ATTRIBUTE, "arena"), (WORKSPACE_ATTRIBUTE, "workspace")):
            if mark in marks.data:
                roles[position] = role
    return roles


def buffer_index(roles: Mapping[int, str], position: int) -> int:
    """The place of an argument in `buffers`, which leaves out arena and workspace."""
    return position - sum(1 for other in roles if other < position)


def parameter(made: Array, argument: SSAValue) -> str:
    """`const float x[restrict 64][784]`."""
    const = "" if is_written(argument) else "const "
    extents = argument.type.get_shape()  # type: ignore[attr-defined]
    if made.rows is None or not extents or extents[0] < 0:
        if made.rows:
            return f"{const}{made.element} (*restrict {made.name}){''.join(f'[{r}]' for r in made.rows)}"
        return f"{const}{made.element} *restrict {made.name}"
    return f"{const}{made.element} {made.name}[restrict {extents[0]}]{''.join(f'[{r}]' for r in made.rows)}"


def _buffer(p: Printer, argument: SSAValue) -> Array:
    if not is_bytes(argument):
        return p.add_array(argument)
    made = p.arrays[argument] = Array(p.names.fresh(argument.name_hint or "bytes"), "char", (), (1,))
    return made


WRITTEN: dict[type[Operation], str] = {
    memref.StoreOp: "memref", memref.CopyOp: "destination", vector.StoreOp: "base", vector.MaskedStoreOp: "base",
    vectorx.TransposeOp: "target",
}  # fmt: skip
"""By op: the buffer that it stores to."""
ALIASES = (memref.ViewOp, memref.SubviewOp, memref.ReinterpretCastOp, memref.CastOp, memref.CollapseShapeOp,
           memref.ExpandShapeOp)  # fmt: skip


def is_written(value: SSAValue) -> bool:
    """Whether anything may be stored through this buffer."""
    for use in value.uses:
        op = use.operation
        written = WRITTEN.get(type(op))
        if isinstance(op, func.CallOp) or (written is not None and getattr(op, written) is value):
            return True
        if isinstance(op, ALIASES) and is_written(op.results[0]):
            return True
    return False


def signature(head: str, parameters: Sequence[str], width: int = 116) -> str:
    """`head(parameters)`, a long list over several lines."""
    prototype = f"{head}({', '.join(parameters)})"
    if len(prototype) <= width:
        return prototype
    indent = " " * (len(head) + 1)
    lines: list[str] = []
    current = head + "("
    for number, part in enumerate(parameters):
        piece = part if number == 0 else ", " + part
        if number and len(current) + len(piece) > width:
            lines.append(current + ",")
            current = indent + part
        else:
            current += piece
    return "\n".join([*lines, current + ")"])


def _only_block(function: func.FuncOp):
    if not function.body.blocks:
        raise CodegenError(f"no C for @{function.sym_name.data}: it has no body", function.location)
    if len(function.body.blocks) > 1:
        raise CodegenError(f"no C for @{function.sym_name.data}: it has several basic blocks", function.location)
    return function.body.blocks[0]


def text_of(p: Printer) -> str:
    """The lines that were printed."""
    lines = p.lines
    while lines and not lines[-1]:
        lines.pop()
    return "".join(line + "\n" for line in lines)
