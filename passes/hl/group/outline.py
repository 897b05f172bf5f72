"""Turns a plan into functions: one a kernel, and the host function that calls them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    LocationAttr,
    ModuleOp,
    UnitAttr,
    i64,
)
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, BlockArgument, Operation, OpResult, Region, SSAValue

from ....dialects.hl.builder import IRBuilder
from ....dialects.hl.control import ScanOp
from ....dialects.hl.elementwise import CopyOp
from ....dialects.locations import fuse
from ....dialects.marks import KERNEL_ATTRIBUTE, TIED_ATTRIBUTE
from ....dialects.spmd import FIRST, StopOnErrorOp
from ...target import Profitability
from ..checks import checks_in
from .clusters import Grouping
from .roles import Role, role_of
from .schedule import Records, Step, plan, root_argument

NAME_LENGTH = 48


class KernelNames:
    """Function names, each once, made of the ops' names: `matmul_add_relu`, `matmul_add_relu_2`."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken

    def of(self, ops: list[Operation]) -> str:
        words: list[str] = []
        for op in ops:
            word = op.name.partition(".")[2].removeprefix("reduce_")
            if word not in words and role_of(op) is not None:
                words.append(word)
        name = "_".join(words)
        if len(name) > NAME_LENGTH:
            name = "_".join([*words[:2], words[-1], str(len(ops))])
        return self.fresh(name)

    def fresh(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        self.taken.add(candidate)
        return candidate


def make_kernel(grouping: Grouping, step: Step, name: str) -> FuncOp:
    """The function of one kernel: clones of its ops, and of the inline ops that they read."""
    block = Block(arg_types=[value.type for value in step.inputs])
    values: dict[SSAValue, SSAValue] = dict(zip(step.inputs, block.args))
    for value, argument in values.items():
        argument.name_hint = value.name_hint

    def materialize(value: SSAValue) -> None:
        if value in values:
            return
        assert isinstance(value, OpResult)
        clone(value.op)

    def clone(op: Operation) -> None:
        for operand in op.operands:
            materialize(operand)
        copy = op.clone(values)
        block.add_op(copy)
        for old, new in zip(op.results, copy.results):
            values[old] = new

    for op in step.ops:
        clone(op)
    results = [values[value] for value in step.outputs]
    location = fuse(op.location for op in step.ops)
    terminator = ReturnOp(*results)
    terminator.location = location
    block.add_op(terminator)
    attributes: list[DictionaryAttr] = []
    for value in step.inputs:
        tied = step.ties.get(value)
        entry: dict[str, Attribute] = {}
        if tied is not None:
            entry[TIED_ATTRIBUTE] = IntegerAttr(step.outputs.index(tied), i64)
        attributes.append(DictionaryAttr(entry))
    kernel = FuncOp(
        name,
        FunctionType.from_lists([v.type for v in step.inputs], [v.type for v in step.outputs]),
        Region(block),
        visibility="private",
        arg_attrs=ArrayAttr(attributes) if step.ties else None,
    )
    kernel.attributes[KERNEL_ATTRIBUTE] = UnitAttr()
    kernel.location = location
    return kernel


def make_copy_kernel(value: SSAValue, name: str, location: LocationAttr) -> FuncOp:
    """A kernel that returns its argument: the bytes, elsewhere."""
    block = Block(arg_types=[value.type])
    terminator = ReturnOp(block.args[0])
    terminator.location = location
    block.add_op(terminator)
    kernel = FuncOp(name, FunctionType.from_lists([value.type], [value.type]), Region(block), visibility="private")
    kernel.attributes[KERNEL_ATTRIBUTE] = UnitAttr()
    kernel.location = location
    return kernel


class HostBody:
    """The new body of a host function, or of a loop in it, while it is being written."""

    def __init__(self, module: ModuleOp, grouping: Grouping, names: KernelNames) -> None:
        self.module, self.grouping, self.names = module, grouping, names
        self.block = grouping.block
        self.made: dict[SSAValue, SSAValue] = {argument: argument for argument in self.block.args}
        self.ops: list[Operation] = []

    def available(self, value: SSAValue) -> SSAValue:
        """The host's value; an alias is made where it is first needed."""
        if value not in self.made:
            assert isinstance(value, OpResult)
            alias = value.op.clone({value.op.operands[0]: self.available(value.op.operands[0])})
            self.ops.append(alias)
            self.made[value] = alias.results[0]
        return self.made[value]

    def run(self, step: Step) -> None:
        """What one step of the plan becomes: a loop, or a call of a new kernel."""
        first = step.ops[0]
        if isinstance(first, ScanOp):
            self.loop(first)
            return
        kernel = make_kernel(self.grouping, step, self.names.of(step.ops))
        results = self.call(kernel, [self.available(v) for v in step.inputs], step.outputs)
        self.made.update(zip(step.outputs, results))

    def loop(self, op: ScanOp) -> None:
        """A loop whose body calls kernels. What it carries starts as copies, since each round overwrites them."""
        starts = [self.copy(self.available(v)) for v in op.carried]
        clone = op.clone({v: self.available(v) for v in op.operands})
        clone.operands = [*starts, *list(clone.operands)[len(starts) :]]
        separate_yields(clone)
        outline_block(self.module, clone.body.block, self.names, {}, self.grouping.profitability)
        self.ops.append(clone)
        self.made.update(zip(op.outputs, clone.outputs))

    def call(self, kernel: FuncOp, operands: list[SSAValue], results: list[SSAValue]) -> list[SSAValue]:
        """Adds a kernel to the module and a call of it to the host."""
        self.module.body.block.add_op(kernel)
        op = CallOp(kernel.sym_name.data, operands, [v.type for v in results])
        op.location = kernel.location
        for old, new in zip(results, op.results):
            new.name_hint = old.name_hint
        self.ops.append(op)
        return list(op.results)

    def stop_on_error(self, record: OpResult, errors: SSAValue, first: bool) -> None:
        """Ends the function here where a check has failed. `first`: nothing but checks ran before."""
        operands = [self.available(record), self.available(errors)]
        marks: dict[str, Attribute] = {FIRST: UnitAttr()} if first else {}
        self.ops.append(StopOnErrorOp.create(operands=operands, attributes=marks, location=record.op.location))

    def copy(self, value: SSAValue) -> SSAValue:
        """The same bytes elsewhere."""
        source = value.owner if isinstance(value.owner, Operation) else self.block.last_op
        assert source is not None
        kernel = make_copy_kernel(value, self.names.fresh("copy"), source.location)
        return self.call(kernel, [value], [value])[0]

    def finish(self, returned: list[SSAValue]) -> None:
        """Replaces the old body."""
        old = self.block.last_op
        assert old is not None
        terminator = type(old).create(operands=returned, location=old.location)
        for op in reversed(list(self.block.ops)):
            op.detach()
            op.erase(safe_erase=False)
        self.block.add_ops([*self.ops, terminator])


def separate_yields(op: ScanOp) -> None:
    """Copies what a body yields twice, or did not compute itself: every yielded value needs bytes of its own."""
    terminator = op.terminator
    seen: set[SSAValue] = set()
    builder = IRBuilder(op.body.block, terminator, terminator.location)
    for index, value in enumerate(terminator.operands):
        computed = isinstance(value, OpResult) and role_of(value.op) not in (Role.INLINE, Role.ALIAS)
        if value in seen or not computed:
            terminator.operands[index] = builder.one(CopyOp, value)
        seen.add(value)


def outline_block(
    module: ModuleOp,
    block: Block,
    names: KernelNames,
    states: dict[int, SSAValue],
    profitability: Profitability,
    records: Records | None = None,
) -> set[int]:
    """Groups the ops of a block, and replaces them by calls of new kernels. Returns the numbers of checks in front of
    which state may have been updated.

    Each result needs bytes of its own: in the state argument whose new value it is, or in a buffer of the caller's.
    A result that has none (an argument handed back, one value returned twice, state read after it changed) is copied.
    """
    grouping = Grouping(block, profitability)
    grouping.run()
    steps = plan(grouping, states, records)
    terminator = block.last_op
    assert terminator is not None
    host = HostBody(module, grouping, names)
    wanted = list(terminator.operands)
    roots = [root_argument(grouping, value) for value in wanted]
    copied_first: dict[int, SSAValue] = {}
    runner = StepRunner(host, states, roots, records or Records())
    rest = runner.run_first(steps)
    for index, (value, root) in enumerate(zip(wanted, roots)):
        if isinstance(root, BlockArgument) and root is not states.get(index):
            copied_first[index] = host.copy(host.available(value))  # before anything is updated in place
    runner.run(rest)
    claimed: set[SSAValue] = set()
    returned: list[SSAValue] = []
    settled = {value: argument for step in steps for argument, value in step.ties.items()}
    for index, (value, root) in enumerate(zip(wanted, roots)):
        target = states.get(index)
        if index in copied_first:
            result = copied_first[index]
            returned.append(result if target is None else host.copy(result))
            continue
        result = host.available(value)
        home = settled.get(root)
        direct = root not in claimed and (home is target if home is not None else is_free(steps, root, target))
        if target is not None and home is None and root.type != target.type:
            direct = False  # the kernel would write the state in another shape
        from_loop = isinstance(root, OpResult) and isinstance(root.op, ScanOp)
        if (from_loop or not direct) and root is not target:
            result = host.copy(result)
        claimed.add(root)
        returned.append(result)
    host.finish(returned)
    return runner.late


class StepRunner:
    """Runs the steps of a plan; where checks have failed, the function ends before any state is updated."""

    def __init__(
        self, host: HostBody, states: dict[int, SSAValue], roots: Sequence[SSAValue], records: Records
    ) -> None:
        self.host, self.records = host, records
        self.updates = {roots[k] for k, argument in states.items() if argument is not records.argument}
        """The new values of state."""
        self.pending: OpResult | None = None
        """The last record that nobody has looked at."""
        self.late: set[int] = set()

    def run_first(self, steps: list[Step]) -> list[Step]:
        """Runs the checks at the front; the steps that are left."""
        first = list(takewhile(lambda step: role_of(step.ops[0]) is Role.CHECK, steps))
        for step in first:
            self.host.run(step)
            self.pending = self.records.made.get(step.ops[0])
        self.stop(first=True)
        return steps[len(first) :]

    def run(self, steps: list[Step]) -> None:
        """Runs steps in which checks and updates of state may follow one another."""
        written = False
        for step in steps:
            record = self.records.made.get(step.ops[0])
            writes = not self.updates.isdisjoint(step.outputs)
            if writes:
                self.stop()
            self.host.run(step)
            if record is not None:
                self.pending = record
                if written:
                    self.late.update(check.number for check in checks_in(step.ops[0]))
            written |= writes
        if self.updates:  # what is not updated in place is copied at the end
            self.stop()

    def stop(self, first: bool = False) -> None:
        """Looks at the record, if there is a new one."""
        if self.pending is not None and self.records.argument is not None:
            self.host.stop_on_error(self.pending, self.records.argument, first)
        self.pending = None


def is_free(steps: list[Step], value: SSAValue, target: SSAValue | None) -> bool:
    """Whether nobody reads the state argument `target` once the kernel that makes `value` runs."""
    if target is None:
        return True
    writer = next((i for i, step in enumerate(steps) if value in step.outputs), 0)
    return not any(target in step.roots for step in steps[writer:])
