"""Compares the surface with PyTorch's, and prints what is covered: python compare.py PYTHON-WITH-TORCH [expression]

Each package runs in a process of its own, since two OpenMP runtimes do not go together in one.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import cases
import numpy as np

HERE = Path(__file__).parent


def results(python: str, package: str) -> dict[tuple[str, str, str], Any]:
    """What one package gives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.pickle"
        subprocess.run([python, str(HERE / "evaluate.py"), package, str(path)], check=True)
        return pickle.loads(path.read_bytes())


def close(a: Any, b: Any) -> bool:
    """Whether two arrays agree about as far as their element types allow; gradients may have passed through float32."""
    tolerance = 1e-6 if a.dtype == np.float64 else 2e-5
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance / 10, equal_nan=True))


def problem(ours: Any, theirs: Any) -> str | None:
    """How a value differs from PyTorch's."""
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(ours) != len(theirs):
            return "shape"
        return next((p for a, b in zip(ours, theirs, strict=True) if (p := problem(a, b))), None)
    if not isinstance(theirs, tuple):
        same = ours == theirs or (isinstance(theirs, float) and close(np.array(float(ours)), np.array(theirs)))
        return None if same or str(ours) == str(theirs) else "value"
    if not isinstance(ours, tuple) or ours[1] != theirs[1]:
        return "dtype"
    if ours[2].shape != theirs[2].shape:
        return "shape"
    return None if close(ours[2], theirs[2]) else "value"


def gradient_problem(ours: Any, theirs: Any) -> bool:
    """Whether gradients differ; None counts as zeros. Where PyTorch has none to give, nothing is asked."""
    if isinstance(theirs, tuple) or isinstance(ours, tuple):
        return isinstance(ours, tuple) and not isinstance(theirs, tuple)
    for name, expected in theirs.items():
        got = ours.get(name)
        if expected is None and got is None:
            continue
        zeros = np.zeros_like(expected if expected is not None else got)
        if not close(zeros if got is None else got, zeros if expected is None else expected):
            return True
    return False


def compare(ours: Any, theirs: Any) -> str | None:
    """How a case differs from PyTorch's, if it does."""
    if theirs[0] != "values":
        return None  # PyTorch refuses: so may we, or give something
    if ours[0] != "values":
        return ours[0]
    return problem(ours[1], theirs[1]) or ("gradient" if gradient_problem(ours[2], theirs[2]) else None)


def main() -> None:
    """Prints the table; exits with 1 where something differs."""
    theirs, ours = results(sys.argv[1], "torch"), results(sys.executable, "irtool")
    wanted = sys.argv[2] if len(sys.argv) > 2 else None
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    counts: dict[tuple[str, str], int] = defaultdict(int)
    known: dict[str, list[str]] = defaultdict(list)
    for (group, expression, name), expected in theirs.items():
        counts[group, expression] += expected[0] == "values"
        kind = compare(ours[group, expression, name], expected)
        accepted = expression in cases.KNOWN and name in ("extreme", "plain bool")
        if kind is not None and (accepted or (name == "extreme" and kind == "gradient")):
            known[group].append(f"{expression} ({kind})")
        elif kind is not None:
            found[group, expression][kind].append(name)
        if wanted == expression:
            print(name, kind or "ok", "\n  ours  ", ours[group, expression, name], "\n  theirs", expected)
    print(f"{'group':10} {'covered':>9} {'cases':>7}  differs")
    for group in dict.fromkeys(group for group, _ in counts):
        rows = [key for key in counts if key[0] == group and counts[key]]
        bad = [key for key in rows if found.get(key)]
        print(f"{group:10} {len(rows) - len(bad):4}/{len(rows):<4} {sum(counts[k] for k in rows):7}  {len(bad) or ''}")
        for key in bad:
            kinds = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found[key].items())
            print(f"    {key[1]:48} {kinds}")
        if known[group]:
            print(f"    known: {', '.join(known[group])}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
