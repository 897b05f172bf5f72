"""Numbers that PyTorch gave, and the computations that gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text())
LAYERS: dict[str, Any] = json.loads((HERE / "layers.json").read_text())["layers"]
WORKLOADS: dict[str, Any] = json.loads((HERE / "workloads.json").read_text())["workloads"]
