"""Makes golden.json with PyTorch: `make golden GOLDEN_PYTHON=python-with-torch`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cases
import layers
import torch
import workloads

HERE = Path(__file__).parent


def main() -> None:
    torch.set_num_threads(1)
    golden: dict[str, Any] = {
        "torch": torch.__version__,
        "mlp_losses": {name: cases.mlp_losses(torch, name) for name in cases.MLP_OPTIMIZERS},
        "optimizers": {name: cases.optimizer_values(torch, name) for name in cases.OPTIMIZERS},
        "lbfgs": {name: cases.lbfgs_losses(torch, name) for name in cases.LBFGS},
        "schedules": {name: cases.schedule(torch, name) for name in cases.SCHEDULES},
        "functions": {name: cases.function(torch, name) for name in cases.FUNCTIONS},
    }
    write("golden.json", golden, 9)
    losses = {n: workloads.recorded(torch, n) for n in workloads.WORKLOADS}
    write("workloads.json", {"torch": torch.__version__, "workloads": losses}, 7)
    write("layers.json", {"torch": torch.__version__, "layers": {n: layers.layer(torch, n) for n in layers.LAYERS}}, 7)


def write(name: str, golden: dict[str, Any], digits: int) -> None:
    """One line a case."""
    sections = ",\n".join(
        f"{json.dumps(key)}: "
        + ("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(rounded(v, digits))}" for k, v in part.items()) + "\n}"
           if isinstance(part, dict) else json.dumps(part))
        for key, part in golden.items()
    )  # fmt: skip
    (HERE / name).write_text("{\n" + sections + "\n}\n")
    print(f"wrote {HERE / name}", file=sys.stderr)


def rounded(value: Any, digits: int) -> Any:
    """So many significant digits; nine are all that float32 has."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    return [rounded(v, digits) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
