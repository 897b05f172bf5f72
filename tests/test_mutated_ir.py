"""IR with mistakes that nobody has thought of: every command ends well, or with an error at a line of the file.

make fuzz-ir FILES=4000 SEED=10000        4,000 files, from seed 10,000 on: names those that do not
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from irtool.tools.cli import main

from . import mutation

SAMPLE = 120
COMMANDS = (["opt"], ["opt", "--stop-after", "loops", "--target", "avx2"], ["translate"], ["run"])
BUFFERS = re.compile(r"memref|linalg|irtool\.kernel")


def faults(text: str, path: Path) -> list[str]:
    """What is wrong with how commands take a text."""
    path.write_text(text)
    found: list[str] = []
    for command in COMMANDS:
        if command == ["run"] and BUFFERS.search(text):
            continue  # what is compiled is not run here
        result = CliRunner().invoke(main, [*command, str(path)])
        first = (result.stderr.splitlines() or [""])[0]
        # A text that says where it comes from may be blamed there.
        place = rf"({re.escape(str(path))}|\S+\.py)" if "loc(" in text else re.escape(str(path))
        placed = re.match(place + r":\d+(:\d+)?: error: \S", first) and "a fault of irtool's own" not in first
        if result.exit_code not in (0, 1) or "Traceback" in result.stderr or (result.exit_code and not placed):
            found.append(f"{' '.join(command)}: exit code {result.exit_code}: {first}")
        if result.exit_code and command == ["opt"]:
            break  # the others would say the same
    return found


def mutant(seed: int) -> str:
    generator = random.Random(seed)
    return mutation.mutate(generator.choice(mutation.corpus()), generator)


@pytest.mark.parametrize("first", range(0, SAMPLE, 40))
def test_a_sample(first: int, tmp_path: Path) -> None:
    found = {seed: faults(mutant(seed), tmp_path / "f.mlir") for seed in range(first, first + 40)}
    assert not {seed: faults for seed, faults in found.items() if faults}


def test_the_unchanged_texts_are_good(tmp_path: Path) -> None:
    """Most of them: a few are tests of errors."""
    results: list[int] = []
    for text in mutation.corpus()[::8]:
        (tmp_path / "f.mlir").write_text(text)
        results.append(CliRunner().invoke(main, ["opt", str(tmp_path / "f.mlir")]).exit_code)
    assert results.count(0) >= 0.9 * len(results)


if __name__ == "__main__":
    count, start = (int(argument) for argument in sys.argv[1:])
    found = 0
    for number in range(start, start + count):
        for fault in faults(mutant(number), Path(f"/tmp/mutant-{start}.mlir")):
            found += 1
            print(number, fault)
    sys.exit(found > 0)
