"""Gradients of the ops that say what differentiation means."""

from __future__ import annotations

from ....dialects.hl import autodiff as a
from .call import GradientTable, ReasonTable

GRADIENTS: GradientTable = {
    a.VariableOp: lambda b, call: (call.ct,),
    a.BarrierOp: lambda b, call: call.cotangents,
}

NO_GRADIENT: ReasonTable = {
    a.StopGradientOp: "stops gradients: that is what it is for",
    a.GradientOp: "stands for ops that `differentiate` puts in its place first",
}
