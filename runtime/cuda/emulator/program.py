"""A program whose launches run on the CPU.

Its buffers are in guarded mappings of their own, those of the arena too, which on a device share bytes over time: what
a launch writes to one makes garbage of those that have the same bytes in the plan. Arguments are copied in before a
call, and those that the program updates, and its results, are copied back after it.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ...pointer_call import PointerCall
from ..plan import buffer_sizes, evaluate, launches
from .build import VARIANTS
from .native import ArgumentRecord, EmulationError, EmulatorLibrary, GuardedBuffer, LaunchRecord
from .orders import Orders

Instruction = Mapping[str, Any]


class EmulatedProgram:
    """A program in memory; what it needs is mapped at the first call."""

    def __init__(self, shared_object: Path, plan: Mapping[str, Any]) -> None:
        self.shared_object, self.plan = shared_object, plan
        check_shared_bytes(plan)

    def bind(self) -> PointerCall:
        """A call with pointers to memory of the host."""
        return PointerCall(self._launch)

    def _launch(self, pointers: Mapping[int, int]) -> None:
        with self.device.lock:
            self.device.run(pointers)

    @cached_property
    def device(self) -> EmulatedDevice:
        """The memory and the kernels: of a library that is loaded already, those that it has."""
        path = os.fspath(self.shared_object)
        with _loading:
            device = _devices.get(path)
            if device is None:
                device = _devices[path] = EmulatedDevice(self.shared_object, self.plan)
                weakref.finalize(device, device.native.close)
            return device


def check_shared_bytes(plan: Mapping[str, Any]) -> None:
    """Raises EmulationError where a launch is given two buffers that share bytes of the arena, one to write to."""
    for launch in launches(plan["launches"]):
        function = plan["functions"][launch["kernel"]]
        given = [
            (role, function["written"][k], launch["places"][k][0])
            for k, ((role, *_), _) in enumerate(launch["arguments"])
            if role in ("arena", "workspace")
        ]
        for role, written, planned in given:
            for other_role, _, other in given:
                if role != other_role or not written or planned == other:
                    continue
                a, b = (plan[f"{role}_buffers"][n] for n in (planned, other))
                if _share_bytes(a, b):
                    message = f"is given {a[2] or 'a buffer'} to write to, and {b[2] or 'another'} at the same bytes"
                    raise EmulationError(f"kernel {launch['kernel']} ({launch['line']}) {message} of the {role}")


def _share_bytes(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return a[0] < b[0] + b[1] and b[0] < a[0] + a[1]


class EmulatedDevice:
    """The memory of a program and its launches, ready to run."""

    def __init__(self, shared_object: Path, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        self.lock = threading.Lock()
        self._sizes = buffer_sizes(plan)
        planned = [*plan["arena_buffers"], *plan["workspace_buffers"]]
        sizes = [*self._sizes, *((size, element) for _, size, _, _, element in planned)]
        self.native = EmulatorLibrary(shared_object, sum(size for size, _ in sizes) + 1, len(sizes) + 1)
        mapped = [GuardedBuffer(self.native, size, element) for size, element in sizes]
        count, arena = len(self._sizes), len(plan["arena_buffers"])
        self._buffers = mapped[:count]
        self._scratch = {"arena": mapped[count : count + arena], "workspace": mapped[count + arena :]}
        self._sharing = {role: _sharing(plan[f"{role}_buffers"]) for role in self._scratch}
        self._orders: Orders
        self._launches: dict[int, PreparedLaunch] = {}
        self._last = self._last_uses()

    def _last_uses(self) -> dict[int, list[GuardedBuffer]]:
        """After which instruction of the program a buffer of the arena is not needed any more."""
        last: dict[int, int] = {}
        for number, instruction in enumerate(self._plan["launches"]):
            for launch in launches([instruction]):
                for ((role, *_), _), (planned, _) in zip(launch["arguments"], launch["places"], strict=True):
                    if role == "arena":
                        last[planned] = number
        ends: dict[int, list[GuardedBuffer]] = {}
        for planned, number in last.items():
            ends.setdefault(number, []).append(self._scratch["arena"][planned])
        return ends

    def run(self, pointers: Mapping[int, int]) -> None:
        """One call of the program, on memory of the host."""
        self._orders = Orders()
        for scratch in self._scratch.values():
            for buffer in scratch:
                buffer.poison()
        arguments = len(self._plan["arguments"])
        for number, buffer in enumerate(self._buffers):
            if number < arguments:
                ctypes.memmove(buffer.address, pointers[number], buffer.size)
            else:
                buffer.poison()
        for number, instruction in enumerate(self._plan["launches"]):
            self._run(instruction, {})
            for buffer in self._last.get(number, ()):
                buffer.poison()
        written: list[int] = self._plan["written"]
        for number in written:
            buffer = self._buffers[number]
            ctypes.memmove(pointers[number], buffer.address, buffer.size)

    def _run(self, instruction: Instruction, variables: dict[str, int]) -> None:
        if "loop" in instruction:
            for counter in range(*instruction["range"]):
                for inner in instruction["body"]:
                    self._run(inner, {**variables, instruction["loop"]: counter})
            return
        launch = self._launches.get(id(instruction))
        if launch is None:
            launch = self._launches[id(instruction)] = PreparedLaunch(self, instruction)
        launch.run(self.native, self._orders, variables)

    def origin(self, role: str, planned: int | None) -> str:
        """For messages: the Python line that a buffer of the arena or the workspace is made in."""
        line = self._plan[f"{role}_buffers"][planned][3] if planned is not None else ""
        return f" (made in {line})" if line else ""

    def facts(self, kernel: str) -> Mapping[str, Any]:
        """What the plan says of a kernel."""
        return self._plan["functions"][kernel]

    def place(self, base: Sequence[Any], planned: int | None) -> tuple[GuardedBuffer, int, list[tuple[Any, ...]]]:
        """The buffer of an argument, where it begins in what offsets count from, and what shares its bytes."""
        if base[0] == "buffer":
            number: int = base[1]
            return self._buffers[number], 0, []
        assert planned is not None
        start = self._plan[f"{base[0]}_buffers"][planned][0]
        sharing = self._sharing[base[0]][planned]
        return self._scratch[base[0]][planned], start, [(self._scratch[base[0]][k], *span) for k, *span in sharing]


def _sharing(buffers: Sequence[Sequence[Any]]) -> list[list[tuple[int, int, int]]]:
    """Of each buffer: those at the same bytes, and which of theirs these are."""
    found: list[list[tuple[int, int, int]]] = [[] for _ in buffers]
    for i, a in enumerate(buffers):
        for k, b in enumerate(buffers):
            if i != k and _share_bytes(a, b):
                first, last = max(a[0], b[0]), min(a[0] + a[1], b[0] + b[1])
                found[i].append((k, first - b[0], last - first))
    return found


class PreparedLaunch:
    """A launch of the plan, as the emulator takes it."""

    def __init__(self, device: EmulatedDevice, instruction: Instruction) -> None:
        facts = device.facts(instruction["kernel"])
        count = len(instruction["arguments"])
        self._records = (ArgumentRecord * count)()
        self._offsets: list[tuple[int, Any, int]] = []
        self._overwrites: list[tuple[GuardedBuffer, int, int]] = []
        for k, (base, offset) in enumerate(instruction["arguments"]):
            record, (planned, size) = self._records[k], instruction["places"][k]
            record.name = (facts["parameters"][k] + device.origin(base[0], planned)).encode()
            record.bytes, record.written = size, facts["written"][k]
            record.floats = facts["types"][k] in ("float", "double")
            start = 0
            if base[0] != "number":
                buffer, start, sharing = device.place(base, planned)
                record.buffer = buffer.handle
                self._overwrites += sharing if record.written else []
            record.offset = offset[0] - start
            if offset[1]:
                self._offsets.append((k, offset, start))
        entries = [device.native.kernel(instruction["kernel"], variant) for variant in VARIANTS]
        self._record = LaunchRecord(
            instruction["kernel"].encode(), instruction["line"].encode() or b"no line", *entries,
            tuple(instruction["grid"]), tuple(instruction["block"]), instruction["shared"], facts["collective"],
            count, self._records,
        )  # fmt: skip
        self._count = 0

    def run(self, library: EmulatorLibrary, orders: Orders, variables: Mapping[str, int]) -> None:
        """Once, in a round of the loops around it."""
        for k, offset, start in self._offsets:
            self._records[k].offset = evaluate(offset, variables) - start
        order = orders.at(self._count)
        library.launch(self._record, order.kind, order.seed, order.checked)
        self._count += 1
        for buffer, offset, size in self._overwrites:
            buffer.poison(offset, size)


_devices: weakref.WeakValueDictionary[str, EmulatedDevice] = weakref.WeakValueDictionary()
"""By library: the system loads one only once, whoever asks for it."""
_loading = threading.Lock()
