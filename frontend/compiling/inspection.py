"""What a compiled function tells about itself: IR at every stage, C, memory, time, and why it was compiled again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from .call_arguments import CallArguments, describe_call

if TYPE_CHECKING:
    from ...runtime.backend import Translation
    from ...runtime.profile import Profile
    from .specialize import Specialization

Found: TypeAlias = "tuple[Specialization | None, Sequence[Any], bool]"
"""A program for a call (None where it is to run uncompiled), what it is run with, and whether it was made of this very
call."""

TRACED = "traced"
"""The stage before the first: the ops as the trace left them."""


GONE = "objects or tensors that earlier programs were for are gone, and the programs with them"
"""Why there are none although some were compiled."""


class Inspection:
    """Looks at the programs of a compiled function, by default at the one compiled last."""

    _recent: list[Specialization]
    _reasons: list[str]
    _compilations: int
    _target: str

    def _program_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Found:
        raise NotImplementedError

    def programs(self) -> list[Specialization]:
        """All programs, oldest first."""
        return list(self._recent)

    def _last(self) -> Specialization:
        if not self._recent:
            raise RuntimeError(f"{GONE if self._compilations else 'nothing is compiled yet'}: call the function first")
        return self._recent[-1]

    def _last_target(self) -> str:
        """The target of the program in use, which is that of the device of its tensors; before, what was asked for."""
        return self._recent[-1].target if self._recent else self._target

    def ir(self, stage: str = TRACED, locations: bool = False) -> str:
        """The IR at a stage of the target's pipeline: "traced", "hl", "kernels", "linalg", "memref", "loops" on a CPU.
        With two functions where the outputs are differentiated outside: forward and backward."""
        from ...dialects.text import print_op
        from ...runtime.backend import find_backend

        # What is evaluated op by op can be looked at on its way to C all the same.
        target = self._last_target()
        backend = find_backend("cpu" if target == "reference" else target)
        stages = [TRACED, *(later.name for later in backend.pipeline)]
        if stage not in stages:
            raise ValueError(f"unknown stage {stage!r}: expected one of {', '.join(stages)}")
        texts: list[str] = []
        for module in self._last().modules():
            module = module.clone()
            if stage != TRACED:
                backend.lower(module, stage)
            texts.append(print_op(module, locations))
        return "\n".join(texts)

    def source(self) -> str:
        """The generated C: the kernels, then the step that calls them."""
        files: list[str] = []
        for made in self._translated():
            units = sorted(made.sources.items(), key=lambda pair: (pair[0] == "step.c", pair[0]))
            files += [f"// {name}\n{text}" for name, text in units]
        return "\n".join(files)

    def _translated(self) -> list[Translation]:
        """The plan and the text of each program in use, made anew: those that run may be those of an equal program,
        which stands at other lines. Raises UnsupportedTarget where the target has no text."""
        from ...runtime.backend import find_backend

        last, backend = self._last(), find_backend(self._last_target())
        return [backend.translate(module) for module, _ in zip(last.modules(), last.loaded())]

    def memory(self) -> dict[str, Any]:
        """Planned memory in bytes: `arena` (the peak of intermediates), `workspace`, `state`, and `buffers`, the
        intermediates from the largest down, each with the Python line that it comes from."""
        last = self._last()
        plans = [made.plan for made in self._translated()]
        buffers = [buffer for plan in plans for buffer in plan.get("memory", ())]
        return {
            "arena": sum(int(plan.get("arena", 0)) for plan in plans),
            "workspace": sum(int(plan.get("workspace", 0)) for plan in plans),
            "state": sum(i.storage.array.nbytes for i in last.traced.updated if i.storage and not i.storage.symbolic),
            "buffers": sorted(buffers, key=lambda buffer: -buffer["bytes"]),
        }

    def profile(self, *args: Any, steps: int = 20, **kwargs: Any) -> Profile:
        """The time of each kernel, with its Python lines, as the mean of several runs with these arguments. Prints as a
        table; `.by_line()` sums up by Python line. Afterwards, state is what it was before."""
        program, leaves, _ = self._program_for(args, kwargs)
        if program is None:
            raise RuntimeError("this call runs uncompiled: there is nothing to measure")
        return program.profile(leaves, steps)

    def explain(self) -> str:
        """Why the last compilation was needed."""
        if not self._compilations:
            return "nothing is compiled yet"
        if not self._reasons:
            return "compiled because the function was called for the first time"
        return "compiled anew because\n" + "\n".join(f"  {reason}" for reason in self._reasons)

    def _why(self, call: CallArguments) -> list[str]:
        """How a call differs from the most similar program."""
        signature = describe_call(call)
        best: list[str] | None = None
        for program in self._recent:
            found = _differences(program.signature, signature) or program.matching.differences(call.leaves)
            if best is None or len(found) <= len(best):
                best = found
        return [GONE] if best is None and self._compilations else best or []


def _differences(before: Sequence[tuple[str, Any]], now: Sequence[tuple[str, Any]]) -> list[str]:
    old, new = dict(before), dict(now)
    found = [f"argument {n} is new" for n in new if n not in old] + [
        f"argument {n} is gone" for n in old if n not in new
    ]
    return found + [f"{n} was {old[n]}, is now {new[n]}" for n in new if n in old and new[n] != old[n]]
