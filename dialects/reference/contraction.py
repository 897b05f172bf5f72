"""Meaning of dialects/hl/contraction.py."""

from __future__ import annotations

import numpy as np

from ..hl.contraction import MatmulOp
from .table import Table

TABLE: Table = {MatmulOp: np.matmul}
