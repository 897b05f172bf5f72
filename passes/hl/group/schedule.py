"""The order of kernels, and which state they may update in place.

A kernel that computes the new value of a state argument writes it where the old one lies, when every other kernel that
reads the old value runs before it, and it reads the old value itself only at the index it writes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from ....dialects.hl.check import CheckBase
from ....dialects.types import spec_of
from .clusters import Cluster, Grouping
from .roles import Role, role_of


@dataclass(frozen=True)
class Records:
    """The record of errors of a function."""

    argument: SSAValue | None = None
    """Where the caller looks for it."""
    made: dict[Operation, OpResult] = field(default_factory=lambda: dict[Operation, OpResult]())
    """The records that checks make, and loops with checks in them, in order."""


@dataclass
class Step:
    """One kernel: its ops in program order, what it reads from memory, what it leaves there."""

    cluster: Cluster
    ops: list[Operation]
    inputs: list[SSAValue] = field(default_factory=lambda: list[SSAValue]())
    outputs: list[SSAValue] = field(default_factory=lambda: list[SSAValue]())
    ties: dict[SSAValue, SSAValue] = field(default_factory=lambda: dict[SSAValue, SSAValue]())
    """State argument -> the output that replaces it in place."""
    roots: set[SSAValue] = field(default_factory=lambda: set[SSAValue]())
    """Whose bytes it reads: the inputs, aliases looked through."""


def stored_inputs(grouping: Grouping, ops: list[Operation]) -> list[SSAValue]:
    """Values in memory that a kernel of these ops reads: arguments, aliases, values of other kernels; each once."""
    inside = set(ops)
    found: dict[SSAValue, None] = {}

    def visit(value: SSAValue) -> None:
        if isinstance(value, OpResult):
            if value.op in inside:
                return
            if grouping.is_inline(value.op):
                for operand in value.op.operands:
                    visit(operand)
                return
        found[value] = None

    for op in ops:
        for operand in op.operands:
            visit(operand)
    return list(found)


def plan(grouping: Grouping, states: dict[int, SSAValue], records: Records | None = None) -> list[Step]:
    """The kernels in an order that respects data flow and, where possible, lets state be updated in place, after all
    that is checked.

    `states`: result index -> the state argument that it is the new value of.
    """
    records = records or Records()
    steps: dict[int, Step] = {}
    for cluster in grouping.clusters.values():
        ops = sorted(cluster.ops, key=grouping.position.__getitem__)
        step = Step(cluster, ops, stored_inputs(grouping, ops))
        step.roots = {root_argument(grouping, value) for value in step.inputs}
        inside = set(ops)
        for op in ops:
            read_elsewhere = any(edge.consumer not in inside for edge in grouping.edges_out[op])
            if read_elsewhere or op in grouping.external:
                step.outputs.extend(op.results)
        steps[cluster.id] = step
    updates = _updates(grouping, states)
    checks = {grouping.cluster_of[op].id for op in records.made}
    order = _order(grouping, steps, _readers_first(grouping, steps, updates, checks, records.argument), checks)
    _tie(grouping, order, updates)
    return order


def root_argument(grouping: Grouping, value: SSAValue) -> SSAValue:
    """The value whose bytes an alias chain shows."""
    while isinstance(value, OpResult) and grouping.is_alias(value.op):
        value = value.op.operands[0]
    return value


def _updates(grouping: Grouping, states: dict[int, SSAValue]) -> dict[SSAValue, SSAValue]:
    """State argument -> its new value, where a kernel computes it and only this argument becomes it."""
    terminator = grouping.block.last_op
    assert terminator is not None
    found: dict[SSAValue, SSAValue] = {}
    taken: set[SSAValue] = set()
    for index, argument in states.items():
        value = root_argument(grouping, terminator.operands[index])
        if isinstance(value, OpResult) and value not in taken:
            found[argument] = value
            taken.add(value)
    return found


def _readers_first(
    grouping: Grouping,
    steps: dict[int, Step],
    updates: dict[SSAValue, SSAValue],
    checks: set[int],
    errors: SSAValue | None,
) -> dict[int, set[int]]:
    """Extra predecessors: readers of a state's old value, and all checks, run before who writes the new one, unless in
    a cycle."""
    extra: dict[int, set[int]] = {}
    reaches = {id_: step.cluster.ancestors for id_, step in steps.items()}
    readers: dict[SSAValue, list[int]] = {
        argument: [] if argument is errors else sorted(checks) for argument in updates
    }
    for id_, step in steps.items():
        for root in step.roots:
            if root in readers and id_ not in readers[root]:
                readers[root].append(id_)
    for argument, value in updates.items():
        assert isinstance(value, OpResult)
        writer = grouping.cluster_of[value.op].id
        for reader in readers[argument]:
            if reader == writer or reaches[reader] >> writer & 1:
                continue
            extra.setdefault(writer, set()).add(reader)
            gained = reaches[reader] | 1 << reader
            for id_ in reaches:
                if id_ == writer or reaches[id_] >> writer & 1:
                    reaches[id_] |= gained
    return extra


def _order(grouping: Grouping, steps: dict[int, Step], extra: dict[int, set[int]], checks: set[int]) -> list[Step]:
    """Topological order. Checks that wait for other checks alone come first. Of the kernels that could be next, those
    that no other waits for are preferred: they make nothing that has to be kept, and what they read may go. Then the
    one whose last op comes first in the program."""
    early = {id_ for id_ in checks if all(a in checks for a in steps if steps[id_].cluster.ancestors >> a & 1)}
    waiting = {id_: len(step.cluster.predecessors | extra.get(id_, set())) for id_, step in steps.items()}
    followers: dict[int, list[int]] = {id_: [] for id_ in steps}
    for id_, step in steps.items():
        for predecessor in step.cluster.predecessors | extra.get(id_, set()):
            followers[predecessor].append(id_)

    def priority(id_: int) -> tuple[bool, bool, int, int]:
        return id_ not in early, bool(followers[id_]), grouping.position[steps[id_].ops[-1]], id_

    ready = [priority(id_) for id_, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[Step] = []
    while ready:
        *_, id_ = heapq.heappop(ready)
        order.append(steps[id_])
        for follower in followers[id_]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, priority(follower))
    return order


def _tie(grouping: Grouping, order: list[Step], updates: dict[SSAValue, SSAValue]) -> None:
    writers = {value: i for i, step in enumerate(order) for value in step.outputs}
    last_reader = {root: i for i, step in enumerate(order) for root in step.roots}
    for argument, value in updates.items():
        writer = writers[value]
        if last_reader.get(argument, -1) > writer:
            continue
        if argument in order[writer].inputs and _reads_where_it_writes(grouping, order[writer], argument, value):
            order[writer].ties[argument] = value


def _reads_where_it_writes(grouping: Grouping, step: Step, argument: SSAValue, value: SSAValue) -> bool:
    """Whether a kernel reads an argument only in elementwise ops of the new value's shape.

    A small kernel may read it anyhow: its ops run one after the other, and bufferization keeps what is read too late.
    So may a check the record that it adds to.
    """
    if not isinstance(argument, BlockArgument) or argument.type != value.type:
        return False
    if any(v is not argument and root_argument(grouping, v) is argument for v in step.inputs):
        return False
    if step.cluster.small or _adds_to(step, argument):
        return True
    inside = set(step.ops)
    for use in argument.uses:
        user = use.operation
        if user in inside:
            if role_of(user) is not Role.MAP or spec_of(user.results[0].type).shape != spec_of(value.type).shape:
                return False
            if user.name == "hl.gather":
                return False
        elif grouping.is_inline(user) and _feeds(grouping, user, inside):
            return False
    return True


def _adds_to(step: Step, record: SSAValue) -> bool:
    check = step.ops[0]
    return isinstance(check, CheckBase) and check.record is record and check.x is not record


def _feeds(grouping: Grouping, op: Operation, inside: set[Operation]) -> bool:
    users = [use.operation for use in op.results[0].uses]
    return any(user in inside or (grouping.is_inline(user) and _feeds(grouping, user, inside)) for user in users)
