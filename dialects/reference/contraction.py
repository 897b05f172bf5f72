"""Meaning of dialects/hl/contraction.py."""

from __future__ import annotations

from ..hl.contraction import MatmulOp
from .product import matmul
from .table import Table

TABLE: Table = {MatmulOp: matmul}
