"""Makes golden.json with PyTorch: `make golden GOLDEN_PYTHON=python-with-torch`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import cases
import torch

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {name: dict(zip(cases.functions(), cases.observed(torch, name, cases.functions()))) for name in cases.BASES}
    (Path(__file__).parent / "golden.json").write_text(json.dumps(found, indent=0) + "\n")
