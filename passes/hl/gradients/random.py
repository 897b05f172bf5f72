"""Random numbers have no gradients."""

from __future__ import annotations

from ....dialects.hl import random as r
from .call import GradientTable, ReasonTable

GRADIENTS: GradientTable = {}

NO_GRADIENT: ReasonTable = {
    r.RandomBitsOp: "the result is a random integer",
    r.UniformOp: "a sample that depends on an integer state only",
    r.BernoulliOp: "samples are 0 or 1, whatever the probability",
}
