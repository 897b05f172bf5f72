"""Clusters of ops that will be one kernel: which merges are legal, and which are made.

Four walks over the ops decide, each over the same legality test:

1. backwards: an op all of whose users are in one cluster joins it, so its value is never stored;
2. forwards:  an op joins the cluster of what it reads, so that value is not loaded again;
3. siblings:  clusters over the same indices that read the same value become one;
4. small:     what is left of clusters too small for two threads joins what it feeds, whatever its indices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, OpResult, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from ....dialects.hl import indexing, shape
from ....dialects.hl.control import YieldOp
from ....dialects.types import spec_of
from ...pass_base import fail
from ...target import Profitability
from ..index_maps import MAPS, index_map
from .roles import Role, domain, full_domain, reduced_dimensions, role_of, squeezed, squeezed_position

TERMINATORS = (ReturnOp, YieldOp)
"""What ends a block of whole-tensor ops."""


class Relation(Enum):
    """How a consumer reads a producer's value."""

    SAME = auto()  # at the index that it computes
    ROW = auto()  # by a broadcast of the kept dimensions to the full ones
    PERMUTED = auto()  # with its dimensions in another order
    OTHER = auto()
    ALIASED = auto()  # as another shape: through the host


@dataclass(frozen=True)
class Edge:
    """`consumer` reads what `producer` makes, perhaps through ops made anew in every kernel."""

    producer: Operation
    consumer: Operation
    relation: Relation
    dimensions: tuple[int, ...] = ()
    """Where the broadcast of a ROW edge puts the producer's dimensions."""


@dataclass(eq=False)
class Cluster:
    """Ops that become one kernel. All run over `full` or over `kept`, its dimensions that are not `reduced`."""

    id: int
    ops: list[Operation]
    full: tuple[int, ...]
    reduced: tuple[int, ...] | None
    roles: set[Role]
    small: bool
    """Whether one worker runs it all."""
    uniform: bool = True
    """False for a small cluster whose ops run over indices of their own."""
    ancestors: int = 0
    """Bit set of the ids of clusters whose values this one needs, directly or not."""
    predecessors: set[int] = field(default_factory=lambda: set[int]())

    @property
    def kept(self) -> tuple[int, ...]:
        return kept(self.full, self.reduced or ())


def kept(full: Sequence[int], reduced: Sequence[int]) -> tuple[int, ...]:
    """The extents that a reduction leaves."""
    return tuple(n for d, n in enumerate(full) if d not in reduced)


def relation_of(read: AffineMap, producer: Sequence[int], consumer: Sequence[int]) -> tuple[Relation, tuple[int, ...]]:
    """How a map from the consumer's indices to the producer's relates them, and for ROW which dimensions it reads.

    Extents of 1 are left out on both sides.
    """
    read_at: list[int] = []
    for expression, extent in zip(read.results, producer):
        if extent == 1:
            continue
        if not isinstance(expression, AffineDimExpr) or consumer[expression.position] != extent:
            return Relation.OTHER, ()
        read_at.append(squeezed_position(consumer, expression.position))
    if read_at == list(range(len(squeezed(consumer)))):
        return Relation.SAME, ()
    if read_at == sorted(set(read_at)):
        return Relation.ROW, tuple(read_at)
    if sorted(read_at) == list(range(len(squeezed(consumer)))):
        return Relation.PERMUTED, tuple(read_at)
    return Relation.OTHER, ()


class Grouping:
    """The clusters of one block, a function's or a loop's, being merged."""

    def __init__(self, block: Block, profitability: Profitability) -> None:
        self.block = block
        self.profitability = profitability
        self.ops = [op for op in block.ops if not isinstance(op, TERMINATORS)]
        self.position = {op: i for i, op in enumerate(self.ops)}
        self.roles = {op: role_of(op) for op in self.ops}
        self.materialized_inline = self._inline_ops_stored()
        self.clusters: dict[int, Cluster] = {}
        self.cluster_of: dict[Operation, Cluster] = {}
        self.edges_in: dict[Operation, list[Edge]] = {}
        self.edges_out: dict[Operation, list[Edge]] = {}
        self.external: set[Operation] = set()
        """Ops whose value a return or an alias needs in memory."""
        self._find_external()
        for op in self.ops:
            if self.computes(op):
                self._add_op(op)

    # What is a node

    def _inline_ops_stored(self) -> set[Operation]:
        """INLINE ops whose value must lie in memory: a return, a loop, an alias, or a gather's table asks for it."""
        stored: set[Operation] = set()
        for op in self.block.ops:
            role = role_of(op)
            if role in (Role.ALIAS, Role.HOST) or isinstance(op, TERMINATORS):
                needed = op.operands
            elif isinstance(op, indexing.GatherOp):
                needed = op.operands[:1]
            else:
                continue
            for operand in needed:
                if isinstance(operand, OpResult) and role_of(operand.op) is Role.INLINE:
                    stored.add(operand.op)
        return stored

    def is_inline(self, op: Operation) -> bool:
        """Whether kernels make this op anew instead of reading its value."""
        return self.roles.get(op) is Role.INLINE and op not in self.materialized_inline

    def is_alias(self, op: Operation) -> bool:
        return self.roles.get(op) is Role.ALIAS

    def computes(self, op: Operation) -> bool:
        """Whether the op is a node of the cluster graph."""
        return not self.is_inline(op) and not self.is_alias(op)

    def _find_external(self) -> None:
        for op in self.block.ops:
            if isinstance(op, TERMINATORS) or self.is_alias(op):
                for operand in op.operands:
                    source = self.source(operand)
                    if source is not None:
                        self.external.add(source)

    def source(self, value: SSAValue) -> Operation | None:
        """The op that computes the bytes of a value, aliases looked through; None for an argument."""
        while isinstance(value, OpResult) and self.is_alias(value.op):
            value = value.op.operands[0]
        return value.op if isinstance(value, OpResult) else None

    def _add_op(self, op: Operation) -> None:
        role = role_of(op)
        if role is None:
            fail(op, f"{op.name} cannot become part of a kernel: expected an hl op, decomposed")
        full = domain(op)
        reduced = reduced_dimensions(op) if role is Role.REDUCE else None
        small = self.profitability.one_worker(math.prod(full)) and role in (
            Role.MAP,
            Role.REDUCE,
            Role.MOVE,
            Role.INLINE,
        )
        cluster = Cluster(len(self.clusters), [op], full, reduced, {role}, small)
        self.clusters[cluster.id] = cluster
        self.cluster_of[op] = cluster
        self.edges_in[op], self.edges_out[op] = [], []
        for index, operand in enumerate(op.operands):
            self._add_edges(op, index, operand)
        for edge in self.edges_in[op]:
            producer = self.cluster_of[edge.producer]
            cluster.predecessors.add(producer.id)
            cluster.ancestors |= producer.ancestors | 1 << producer.id

    def _add_edges(self, consumer: Operation, index: int, operand: SSAValue) -> None:
        """Edges into `consumer` from every op computed in a kernel that the operand depends on through inline ops."""
        chain: list[Operation] = []
        pending = [(operand, chain)]
        while pending:
            value, chain = pending.pop()
            if not isinstance(value, OpResult):
                continue
            op = value.op
            if self.is_inline(op):
                pending.extend((v, [*chain, op]) for v in op.operands)
                continue
            aliased = self.is_alias(op)
            source = self.source(value)
            if source is None:
                continue
            relation, dimensions = (Relation.ALIASED, ()) if aliased else self._relation(consumer, index, chain)
            edge = Edge(source, consumer, relation, dimensions)
            self.edges_in[consumer].append(edge)
            self.edges_out[source].append(edge)

    def _relation(self, consumer: Operation, index: int, chain: list[Operation]) -> tuple[Relation, tuple[int, ...]]:
        role = role_of(consumer)
        if role in (
            Role.INLINE,
            Role.CONTRACT,
            Role.HOST,
            Role.CHECK,
        ):  # a stored transpose, a product: reads at other indices
            return Relation.OTHER, ()
        if role is Role.MOVE:
            reads_alike = isinstance(consumer, shape.PadOp | shape.ConcatOp) and not chain
            return (Relation.SAME if reads_alike else Relation.OTHER), ()
        read = AffineMap.identity(len(full_domain(consumer)))
        if isinstance(consumer, indexing.GatherOp) and (
            index == 0 or spec_of(consumer.operands[1].type).shape != full_domain(consumer)
        ):
            return Relation.OTHER, ()
        for op in chain:
            if type(op) not in MAPS:
                return Relation.OTHER, ()
            read = index_map(op).compose(read)
        source = chain[-1].operands[0] if chain else consumer.operands[index]
        return relation_of(read, spec_of(source.type).shape, full_domain(consumer))

    # Legality

    def merged_small(self, a: Cluster, b: Cluster) -> Cluster | None:
        """What two small clusters would be as one kernel of one thread, or None where that is not legal."""
        if not (a.small and b.small) or self._path_between(a, b):
            return None
        if not self.profitability.one_worker(math.prod(max(a.full, b.full, key=math.prod)), len(a.ops) + len(b.ops)):
            return None
        if any(edge.relation is Relation.ALIASED for edge in self._edges_between(a, b)):
            return None
        return self._union(a, b, max(a.full, b.full, key=math.prod), None, uniform=False)

    def merged(self, a: Cluster, b: Cluster) -> Cluster | None:
        """What `a` and `b` would be as one kernel over common indices, or None where that is not legal."""
        if not (a.uniform and b.uniform) or self._path_between(a, b):
            return None
        roles = a.roles | b.roles
        if Role.HOST in roles or Role.CHECK in roles:
            return None
        if Role.MOVE in roles:
            return self._merged_with_move(a, b)
        if Role.INLINE in roles or (Role.CONTRACT in a.roles and Role.CONTRACT in b.roles):
            return None
        if Role.CONTRACT in roles and Role.REDUCE in roles:
            return None
        space = self._common_space(a, b) or self._transposed_space(a, b)
        if space is None:
            return None
        full, reduced = space
        if Role.CONTRACT in roles and reduced:
            return None
        union = self._union(a, b, full, reduced)
        edges = self._edges_between(a, b)
        if not all(self._admissible(edge, union) for edge in edges):
            return None
        if reduced is not None and not self._rows_suffice(union, edges):
            return None
        return union

    def _merged_with_move(self, a: Cluster, b: Cluster) -> Cluster | None:
        """A pad or concat takes elementwise producers that nobody else reads: they are computed where they move to."""
        producer, mover = (a, b) if Role.MOVE in b.roles else (b, a)
        if len(mover.ops) != 1 or producer.roles != {Role.MAP}:
            return None
        edges = self._edges_between(a, b)
        only_use = all(
            edge.consumer is mover.ops[0] or edge.consumer in producer.ops
            for op in producer.ops
            for edge in self.edges_out[op]
        )
        stored = any(op in self.external for op in producer.ops)
        if stored or not only_use or not all(e.relation is Relation.SAME for e in edges):
            return None
        return self._union(a, b, mover.full, None)

    def _common_space(self, a: Cluster, b: Cluster) -> tuple[tuple[int, ...], tuple[int, ...] | None] | None:
        """The index space of two clusters as one: equal, or one runs over the kept dimensions of the other."""
        if a.reduced is not None and b.reduced is not None:
            return (a.full, a.reduced) if (a.full, a.reduced) == (b.full, b.reduced) else None
        if a.reduced is None and b.reduced is None:
            return (a.full, None) if a.full == b.full else None
        rows, other = (a, b) if a.reduced is not None else (b, a)
        if other.full in (rows.full, rows.kept):
            return rows.full, rows.reduced
        return None

    def _transposed_space(self, a: Cluster, b: Cluster) -> tuple[tuple[int, ...], None] | None:
        """The indices of what reads a product alone, with its dimensions in another order: tiles are stored turned."""
        product, other = (a, b) if Role.CONTRACT in a.roles else (b, a)
        if product.roles != {Role.CONTRACT} or other.roles != {Role.MAP}:
            return None
        return (other.full, None) if math.prod(other.full) == math.prod(product.full) else None

    def _admissible(self, edge: Edge, union: Cluster) -> bool:
        if edge.relation is Relation.SAME:
            return True
        if edge.relation is Relation.PERMUTED:
            return role_of(edge.producer) is Role.CONTRACT
        if edge.relation is Relation.ROW and union.reduced is not None:
            rows = tuple(d for d in range(len(union.full)) if d not in union.reduced)
            return edge.dimensions == rows and squeezed(spec_of(edge.producer.results[0].type).shape) == union.kept
        return False

    def _rows_suffice(self, union: Cluster, edges: Sequence[Edge]) -> bool:
        """Whether what depends on a reduction may share its loop over rows: with few rows, one loop is one thread."""
        if self.profitability.rows_suffice(math.prod(union.kept), math.prod(union.full)):
            return True
        return all(edge.relation is not Relation.ROW for op in union.ops for edge in self.edges_in[op])

    def _path_between(self, a: Cluster, b: Cluster) -> bool:
        """Whether a third cluster needs one and is needed by the other, so that merging would close a cycle."""
        for first, second in ((a, b), (b, a)):
            for middle in second.predecessors:
                if middle != first.id and self.clusters[middle].ancestors >> first.id & 1:
                    return True
        return False

    def _edges_between(self, a: Cluster, b: Cluster) -> list[Edge]:
        inside = [edge for op in b.ops for edge in self.edges_in[op] if self.cluster_of[edge.producer] is a]
        return inside + [edge for op in a.ops for edge in self.edges_in[op] if self.cluster_of[edge.producer] is b]

    def _union(
        self, a: Cluster, b: Cluster, full: tuple[int, ...], reduced: tuple[int, ...] | None, uniform: bool = True
    ) -> Cluster:
        return Cluster(
            min(a.id, b.id), a.ops + b.ops, full, reduced, a.roles | b.roles, a.small and b.small, uniform,
            (a.ancestors | b.ancestors) & ~(1 << a.id | 1 << b.id),
            (a.predecessors | b.predecessors) - {a.id, b.id},
        )  # fmt: skip

    # Merging

    def try_merge(self, a: Cluster, b: Cluster, legal: Callable[[Cluster, Cluster], Cluster | None]) -> None:
        """Makes one cluster of two where that is legal."""
        if a is b:
            return
        union = legal(a, b)
        if union is None:
            return
        gone = a.id if union.id == b.id else b.id
        del self.clusters[gone]
        self.clusters[union.id] = union
        for op in union.ops:
            self.cluster_of[op] = union
        both = 1 << a.id | 1 << b.id
        for other in self.clusters.values():
            if other.ancestors & both and other is not union:
                other.ancestors = (other.ancestors & ~(1 << gone)) | union.ancestors | 1 << union.id
            if gone in other.predecessors:
                other.predecessors.discard(gone)
                other.predecessors.add(union.id)

    def run(self) -> None:
        """Merges all that is worth merging."""
        nodes = [op for op in self.ops if self.computes(op)]
        for op in reversed(nodes):
            users = {self.cluster_of[edge.consumer].id for edge in self.edges_out[op]}
            if len(users) == 1 and op not in self.external:
                self.try_merge(self.cluster_of[op], self.clusters[users.pop()], self.merged)
        for op in nodes:
            for edge in self.edges_in[op]:
                self.try_merge(self.cluster_of[edge.producer], self.cluster_of[op], self.merged)
        self._merge_siblings(nodes)
        for op in nodes:
            for edge in self.edges_in[op]:
                self.try_merge(self.cluster_of[edge.producer], self.cluster_of[op], self.merged_small)

    def _merge_siblings(self, nodes: Sequence[Operation]) -> None:
        readers: dict[SSAValue, list[Operation]] = {}
        for op in nodes:
            if role_of(op) in (Role.MAP, Role.REDUCE):
                for operand in op.operands:
                    source = operand.owner
                    if not (isinstance(source, Operation) and self.is_inline(source)) and squeezed(
                        spec_of(operand.type).shape
                    ) == domain(op):
                        readers.setdefault(operand, []).append(op)
        for ops in readers.values():
            for first, second in pairwise(ops):
                a, b = self.cluster_of[first], self.cluster_of[second]
                if not (Role.CONTRACT in a.roles or Role.CONTRACT in b.roles):
                    self.try_merge(a, b, self.merged)
