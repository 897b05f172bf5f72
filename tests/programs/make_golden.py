"""Makes golden.json with PyTorch: `make golden GOLDEN_PYTHON=python-with-torch`."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from runner import programs, run


def main() -> None:
    torch.set_num_threads(1)
    rows = [
        f"{json.dumps(name)}: {json.dumps([float(f'{value:.7g}') for value in run(torch, name)])}"
        for name in programs(torch)
    ]
    Path(__file__).with_name("golden.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
