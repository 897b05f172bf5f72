"""Control flow in C: loops, conditions, calls, threads."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xdsl.dialects import func, scf
from xdsl.dialects.builtin import IntegerAttr, MemRefType
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from ..dialects import spmd
from .expr import ADD, CExpr, binary, call, unary
from .printer import Printer, Rule
from .types import CodegenError, c_type

COMPOUND = {"+", "-", "*", "/", "&", "|", "^"}


def assignment(target: str, value: CExpr) -> str:
    """`x = x + y` as `x += y`."""
    if value.operation is not None and not value.splat:
        operator, left, right = value.operation
        if operator in COMPOUND and left == target:
            if operator == "+" and right == "1":
                return f"({target})++;" if target.startswith("*") else f"{target}++;"  # *x++ moves the pointer
            return f"{target} {operator}= {right};"
        if operator in "+*" and right == target:
            return f"{target} {operator}= {left};"
    return f"{target} = {value.text};"


def body(p: Printer, block: Block, targets: Sequence[str] = ()) -> list[str]:
    """The lines of a nested block, whose yield assigns the targets."""
    outer = p.lines, p.targets, p.loops_differ
    p.lines, p.targets = [], targets
    p.loops_differ = len({op.location for op in block.ops if type(op) is scf.ForOp}) > 1
    p.names.push()
    p.depth += 1
    p.block(block)
    p.depth -= 1
    p.names.pop()
    lines = p.lines
    while lines and not lines[-1]:
        lines.pop()
    p.lines, p.targets, p.loops_differ = outer
    return lines


def is_single(lines: Sequence[str]) -> bool:
    """Whether C needs no braces around these lines."""
    return len(lines) == 1 and lines[0].endswith(";")


def _variables(p: Printer, op: scf.ForOp) -> list[str]:
    """Variables for loop-carried values; one that only feeds this loop from the one around it is shared with it."""
    names: list[str] = []
    for argument, value, result in zip(op.body.block.args[1:], op.iter_args, op.res, strict=True):
        if isinstance(value.type, MemRefType):
            raise CodegenError("no C for loop-carried memrefs")
        expr = p.use(value)
        shared = (
            isinstance(value, BlockArgument)
            and value.block is op.parent
            and isinstance(value.block.parent_op(), scf.ForOp)
            and value.get_user_of_unique_use() is op
            and value.index > 0
        )
        name = expr.text if shared else p.declare(result, expr, hint=argument)
        p.values[argument] = p.values[result] = CExpr(name)
        names.append(name)
    return names


def assign_all(p: Printer, names: Sequence[str], values: Sequence[SSAValue]) -> None:
    """Assigns all at once: a value that an earlier assignment would destroy is named first."""
    pairs: list[tuple[str, CExpr]] = []
    destroyed: set[str] = set()
    for name, value in zip(names, values, strict=True):
        expr = p.vector(value)
        if expr.text == name:
            continue
        if destroyed.intersection(re.findall(r"\w+", expr.text)):
            expr = p.named(value, expr)
        destroyed.add(name)
        pairs.append((name, expr))
    for name, expr in pairs:
        p.line(assignment(name, expr))


def _bound(p: Printer, value: SSAValue) -> str:
    """A loop bound is evaluated at each iteration: long ones are named."""
    expr = p.use(value)
    if expr.reads or expr.level < ADD or "(" in expr.text:
        expr = p.named(value, expr)
    return expr.text


def trip_count(p: Printer, op: scf.ForOp) -> int | None:
    """How often a loop with constant bounds runs."""
    try:
        lower, upper, step = (int(p.values[v].text) for v in (op.lb, op.ub, op.step))
    except ValueError:
        return None
    return max(0, -((lower - upper) // step)) if step > 0 else None


def print_for(p: Printer, op: scf.ForOp) -> None:
    """A counted loop; `unroll` asks gcc to unroll it fully."""
    p.flush_reads()
    block = op.body.block
    trips = trip_count(p, op)
    lower, upper, step = p.use(op.lb).text, _bound(p, op.ub), p.use(op.step)
    if step.reads or not step.is_atom:
        step = p.named(op.step, step)
    outer = p.where
    if isinstance(op.parent_op(), func.FuncOp):
        p.blank()
    commented = p.comment(op)
    names = _variables(p, op)
    unroll = op.attributes.get("unroll")
    if unroll is not None:
        count = unroll.value.data if isinstance(unroll, IntegerAttr) else trips
        if count is not None and 1 < count <= 65534:
            p.line(p.UNROLL.format(count))
    p.names.push()
    variable = block.args[0]
    name = p.names.fresh(variable.name_hint) if variable.name_hint else p.names.loop()
    p.values[variable] = CExpr(name)
    increment = f"{name}++" if step.text == "1" else f"{name} += {step.text}"
    # A step that is not known may be none: such a loop, which would never end, does not run.
    guard = "" if step.text.isdigit() or step.text == p.threads else f"{step.text} > 0 && "
    head = f"for ({c_type(variable.type)} {name} = {lower}; {guard}{name} < {upper}; {increment})"
    lines = body(p, block, names)
    p.names.pop()
    if is_single(lines):
        p.line(head)
        p.lines.extend(lines)
    else:
        p.line(f"{head} {{")
        p.lines.extend(lines)
        p.line("}")
    p.where = outer
    if commented or isinstance(op.parent_op(), func.FuncOp):
        p.blank()


def print_yield(p: Printer, op: scf.YieldOp) -> None:
    """Assigns what the region yields."""
    assign_all(p, p.targets, op.operands)


def print_if(p: Printer, op: scf.IfOp) -> None:
    """`if` and `else`; results become variables."""
    condition = p.use(op.cond).text
    p.flush_reads()
    names: list[str] = []
    for output in op.output:
        name = p.declare(output, None)
        p.values[output] = CExpr(name)
        names.append(name)
    yes = body(p, op.true_region.block, names)
    no = body(p, op.false_region.block, names) if op.false_region.blocks else []
    if is_single(yes) and (not no or is_single(no)):
        p.line(f"if ({condition})")
        p.lines.extend(yes)
        if no:
            p.line("else")
            p.lines.extend(no)
        return
    p.line(f"if ({condition}) {{")
    p.lines.extend(yes)
    if no:
        p.line("} else {")
        p.lines.extend(no)
    p.line("}")


def print_while(p: Printer, op: scf.WhileOp) -> None:
    """`while (true) { before; if (!condition) break; after }`."""
    p.flush_reads()
    before, after = op.before_region.block, op.after_region.block
    names: list[str] = []
    for argument, value in zip(before.args, op.arguments, strict=True):
        name = p.declare(argument, p.use(value))
        p.values[argument] = CExpr(name)
        names.append(name)
    results: list[str] = []
    for result, argument in zip(op.res, after.args, strict=True):
        name = p.declare(result, None, hint=argument)
        p.values[argument] = p.values[result] = CExpr(name)
        results.append(name)
    p.line("while (true) {")
    p.lines.extend(body(p, before, results))
    p.lines.extend(body(p, after, names))
    p.line("}")


def print_condition(p: Printer, op: scf.ConditionOp) -> None:
    """Leaves the loop, with the values that it ends with."""
    condition = p.use(op.condition)
    assign_all(p, p.targets, op.args)
    p.line(f"if ({unary('!', condition).text})")
    p.line("    break;")


def print_return(p: Printer, op: func.ReturnOp) -> None:
    """A kernel returns nothing."""
    if op.operands:
        raise CodegenError("no C for a function that returns values: results are arguments at this level")


def print_call(p: Printer, op: func.CallOp) -> None:
    """A kernel is called by every thread of the team."""
    if op.results:
        raise CodegenError(f"no C for a call with results, of {op.callee.string_value()}")
    arguments = [p.arrays[a].pointer_text if isinstance(a.type, MemRefType) else p.use(a).text for a in op.operands]
    name = p.callees.get(op.callee.string_value())
    if name is None:
        raise CodegenError(f"no function @{op.callee.string_value()} to call")
    p.effect(f"{name}({', '.join([*arguments, p.thread, p.threads])});")


def print_own_mode(p: Printer, block: Block, stop: str) -> None:
    """A block of the host function in the step's floating-point mode; the thread gets its own back, also where a failed
    check ends the block at the label `stop`."""
    p.line("const unsigned long mode = flush_denormals(flush);")
    p.block(block)
    print_stop_label(p, block, stop)
    p.line("restore_mode(mode);")


def print_parallel(p: Printer, op: spmd.ParallelOp) -> None:
    """One team of threads for the whole region."""
    p.flush_reads()
    p.line("#pragma omp parallel num_threads(threads)")
    p.line("{")
    outer = p.thread, p.threads
    p.names.push()
    p.depth += 1
    p.thread, p.threads = "thread", "team"
    p.line("const long thread = omp_get_thread_num(), team = omp_get_num_threads();")
    print_own_mode(p, op.body.block, STOP)
    p.depth -= 1
    p.names.pop()
    p.thread, p.threads = outer
    p.line("}")


def print_single(p: Printer, op: spmd.SingleOp) -> None:
    """`if (thread == 0) { … }`."""
    p.flush_reads()
    lines = body(p, op.body.block)
    p.line(f"if ({p.thread} == 0)" if is_single(lines) else f"if ({p.thread} == 0) {{")
    p.lines.extend(lines)
    if not is_single(lines):
        p.line("}")


def print_share(p: Printer, op: spmd.ShareOp) -> None:
    """`low = 16 * share_start(63, thread, threads)`, and the same for the next thread."""
    extent, chunk = p.atom(op.extent), op.chunk.value.data
    known = int(extent.text) if extent.constant else None
    chunks = extent
    if chunk > 1 and known is not None:
        chunks = CExpr(str(-(-known // chunk)), constant=True)
    elif chunk > 1:
        chunks = p.named(op.extent, CExpr(f"({extent.text} + {chunk - 1}) / {chunk}"))
    for result, thread in ((op.low, p.thread), (op.high, f"{p.thread} + 1")):
        start = call("share_start", chunks, CExpr(thread), CExpr(p.threads))
        if chunk > 1:
            start = binary("*", CExpr(str(chunk), constant=True), start)
            if known is None or known % chunk:
                start = call("min_i64", start, extent)
        p.define(result, start)


STOP, END = "stop", "end"
"""Labels behind the work of a team, and at the end of the host function."""


def print_stop_on_error(p: Printer, op: spmd.StopOnErrorOp) -> None:
    """`if (record[0] != 0) { … goto stop; }`, of the whole team."""
    record, errors = p.arrays[op.record].name, p.arrays[op.errors].name
    p.flush_reads()
    leave = f"    goto {STOP if isinstance(op.parent_op(), spmd.ParallelOp) else END};"
    if record == errors:
        p.line(f"if ({record}[0] != 0)")
        p.line(leave)
        p.blank()
        return
    p.line(f"if ({record}[0] != 0) {{")
    p.line(f"    for (long i = 0; {p.thread} == 0 && i < 3; i++)")
    p.line(f"        {errors}[i] = {record}[i];")
    p.line(leave)
    p.line("}")
    p.blank()


def print_stop_label(p: Printer, block: Block, label: str) -> None:
    """Where `spmd.stop_on_error` of a block goes."""
    if any(isinstance(op, spmd.StopOnErrorOp) for op in block.ops):
        p.line(f"{label}:;")


def print_barrier(p: Printer, op: Operation) -> None:
    """Everybody waits for everybody: `barrier(threads);`."""
    p.effect(f"barrier({p.threads});")
    if isinstance(op.parent_op(), func.FuncOp):
        p.blank()


def print_thread_id(p: Printer, op: spmd.ThreadIdOp) -> None:
    """This thread's number."""
    p.values[op.result] = CExpr(p.thread)


def print_thread_count(p: Printer, op: spmd.ThreadCountOp) -> None:
    """The size of the team."""
    p.values[op.result] = CExpr(p.threads)


CONTROL: dict[type[Operation], Rule] = {
    scf.ForOp: print_for,
    scf.YieldOp: print_yield,
    scf.IfOp: print_if,
    scf.WhileOp: print_while,
    scf.ConditionOp: print_condition,
    func.ReturnOp: print_return,
    func.CallOp: print_call,
    spmd.ParallelOp: print_parallel,
    spmd.SingleOp: print_single,
    spmd.ShareOp: print_share,
    spmd.BarrierOp: print_barrier,
    spmd.StopOnErrorOp: print_stop_on_error,
    spmd.ThreadIdOp: print_thread_id,
    spmd.ThreadCountOp: print_thread_count,
}
"""How control flow is printed, by op."""
