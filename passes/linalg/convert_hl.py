"""Kernels of hl ops to linalg on tensors, in destination-passing form; the host to calls that name destinations.

    @add_relu(%x, %y) -> tensor<4xf32> {    @add_relu(%x, %y, %out {irtool.out = 0}) -> tensor<4xf32> {
      %0 = hl.add %x, %y                      %0 = linalg.generic ins(%x, %y) outs(empty) { arith.addf }
      %1 = hl.relu %0                    ->   %1 = linalg.generic ins(%0) outs(%out) { … }
      return %1                               return %1

An argument that the kernel updates in place (`irtool.tied`) is its result's destination; other results get an argument
of their own. In the host, a result is written to the state argument that it is the new value of, or to a fresh tensor.
Broadcasts, transposes, slices and constants become indexing maps and scalars, not ops.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ...dialects.marks import KERNEL_ATTRIBUTE
from ..interface import check_static
from ..pass_base import functions
from .convert_host import HostLowering
from .convert_kernel import KernelLowering


@dataclass(frozen=True)
class ConvertHLToLinalg(ModulePass):
    """See the module's text."""

    name = "convert-hl-to-linalg"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_static(op)
        kernels = {f.sym_name.data: f for f in functions(op) if KERNEL_ATTRIBUTE in f.attributes}
        for kernel in kernels.values():
            KernelLowering(kernel)
        for function in functions(op):
            if function.sym_name.data not in kernels:
                HostLowering(function, kernels)
