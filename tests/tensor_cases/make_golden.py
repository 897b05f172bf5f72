"""Writes golden.json: what PyTorch gives for every case. Run it where torch is installed, from the repository's root:

python tests/tensor_cases/make_golden.py
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path

import torch

HERE = Path(__file__).parent


def main() -> None:
    """Runs all cases on PyTorch."""
    spec = importlib.util.spec_from_file_location("tensor_cases", HERE / "__init__.py")
    assert spec and spec.loader
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    warnings.simplefilter("ignore")
    lines = [
        f"{json.dumps(case)}: {json.dumps(cases.run(torch, case))}"
        for family in cases.FAMILIES.values()
        for case in family
    ]
    (HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
