"""Where the time of a program on the GPU goes: each launch between two events of the stream, and no graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..profile import KernelTime, Profile
from .driver import CUDADevice
from .plan import launches
from .program import DeviceProgram


class TimedDeviceProgram(DeviceProgram):
    """A program that keeps the time of each of its launches; those in loops count for one."""

    recorded = False

    def __init__(self, device: CUDADevice, cubins: Mapping[str, bytes], plan: Mapping[str, Any]) -> None:
        super().__init__(device, cubins, plan)
        self._number = {id(launch): number for number, launch in enumerate(launches(plan["launches"]))}
        self._events: list[tuple[int, Any, Any]] = []

    def put(self, launch: Mapping[str, Any], packed: bytes) -> None:
        event, stream = self.device.cuda.Event, self.device.stream
        begin, end = event(), event()
        begin.record(stream)
        super().put(launch, packed)
        end.record(stream)
        self._events.append((self._number[id(launch)], begin, end))

    def reset(self) -> None:
        """Forgets the time so far."""
        with self.device:  # events, too, go while the context is current
            self._events.clear()

    def report(self, runs: int) -> Profile:
        """The mean time of each launch over so many runs since the last reset."""
        self.device.synchronize()
        times = [0.0] * len(self._number)
        with self.device:
            for number, begin, end in self._events:
                times[number] += begin.time_till(end) / 1e3 / runs
        kernels = self.plan["kernels"]
        return Profile(tuple(KernelTime(k["name"], k["line"], t) for k, t in zip(kernels, times, strict=True)))
