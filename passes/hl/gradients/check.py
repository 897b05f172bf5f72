"""Checks have no gradients."""

from __future__ import annotations

from ....dialects.hl import check as c
from .call import GradientTable, ReasonTable

GRADIENTS: GradientTable = {}

NO_GRADIENT: ReasonTable = dict.fromkeys(c.CHECKS, "the result is a record of errors, in integers")
