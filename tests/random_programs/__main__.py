"""python -m tests.random_programs COUNT [SEED] [TARGET]: compares many random programs; see `make fuzz`."""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence

from .compare import Verdict, compare
from .generate import Program, generate
from .shrink import shrink


def judged(program: Program, target: str) -> Verdict:
    """The verdict on a program; what goes wrong in judging counts as a difference."""
    try:
        return compare(program, target)
    except SyntaxError:  # lines were left out
        return Verdict([])
    except Exception:
        return Verdict([traceback.format_exc()])


def main(arguments: Sequence[str]) -> int:
    """Runs programs from a seed on; each that differs is shrunk and shown."""
    count, seed, target = [*arguments, *("1000", "0", "reference")[len(arguments) :]]
    differing, refused, raised, start = 0, Counter[str](), Counter[str](), time.monotonic()
    for number in range(int(seed), int(seed) + int(count)):
        if number > int(seed) and (number - int(seed)) % 1000 == 0:
            done = number - int(seed)
            print(f"{done} programs, {time.monotonic() - start:.0f} s, {differing} differ", file=sys.stderr, flush=True)
        program = generate(number)
        verdict = judged(program, target)
        if verdict.refused:
            refused[verdict.refused.split("(at ")[0][:160]] += 1
        if verdict.error:
            raised[verdict.error] += 1
        if verdict.differences:
            differing += 1
            small = shrink(program, lambda p: bool(judged(p, target).differences))
            print(small.text(), *judged(small, target).differences, "", sep="\n", flush=True)
    seconds = time.monotonic() - start
    print(f"{count} programs from seed {seed} on for {target}, {seconds:.0f} s: {differing} differ")
    print(f"{sum(raised.values())} raise {dict(raised)}; {sum(refused.values())} are refused:")
    for message, times in refused.most_common():
        print(f"{times:6} {message}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
