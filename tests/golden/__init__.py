"""Numbers that PyTorch gave, and the computations that gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden.json").read_text())
