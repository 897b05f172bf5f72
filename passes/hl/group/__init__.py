"""Groups hl ops into kernels.

    func.func @step(%x, %w, %b) {                 func.func @step(%x, %w, %b) {
      %0 = hl.matmul %x, %w                         %h = func.call @matmul_add_relu(%x, %w, %b)
      %1 = hl.broadcast %b along [1]       ->       return %h
      %2 = hl.add %0, %1                          }
      %h = hl.relu %2                             func.func private @matmul_add_relu(...) {irtool.kernel} {
      return %h                                     the same four ops
    }                                             }

roles.py says what each op is to a kernel, clusters.py which ops go together, schedule.py in which order the kernels run
and what they update in place, outline.py makes the functions. Checks of values run before state is updated, and the
function ends where one has failed:

    %1 = func.call @check_range(%i, %errors)
    spmd.stop_on_error %1 into %errors
    %2 = func.call @matmul_add_relu(%x, %w, %b)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ....dialects.hl import autodiff
from ....dialects.hl.base import HLOp
from ....dialects.marks import CHECKS_ATTRIBUTE, KERNEL_ATTRIBUTE
from ...interface import check_tensor, check_tensors, state_arguments
from ...pass_base import functions, replace
from ...target import Profitability, default_profitability
from ..checks import checks_attribute, checks_in, errors_argument, records_of
from .outline import KernelNames, outline_block
from .schedule import Records

IDENTITIES = (autodiff.VariableOp, autodiff.StopGradientOp, autodiff.BarrierOp)
"""Ops that held other passes back; nothing is left to hold."""


@dataclass(frozen=True)
class Group(ModulePass):
    """See the package's text."""

    name = "group"
    profitability: Profitability = field(default_factory=default_profitability)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        names = KernelNames({function.sym_name.data for function in functions(op)})
        for function in functions(op):
            if KERNEL_ATTRIBUTE in function.attributes:
                continue
            check_tensors(function, static=True)
            for inner in list(function.walk()):
                for result in inner.results if isinstance(inner, HLOp) else ():
                    check_tensor(result.type, True, inner.name, inner.location)
                if isinstance(inner, IDENTITIES):
                    replace(inner, inner.operands)
            records = Records(errors_argument(function), {record.op: record for record in records_of(function)})
            checks = checks_in(function)
            late = outline_block(op, function.body.block, names, state_arguments(function), self.profitability, records)
            if checks:
                function.attributes[CHECKS_ATTRIBUTE] = checks_attribute(checks, late)
