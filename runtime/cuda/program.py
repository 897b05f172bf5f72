"""A program on the GPU: its kernels and its scratch memory, and calls that are recorded once and replayed.

    first run     launches are put on the stream one by one, on the buffers that the call is given
    second run    the same, recorded as a CUDA graph, where it is more than a few launches
    later runs    inputs copied to where the graph wants them, the graph, results copied to the buffers of this call

A graph works on fixed addresses. A buffer that is another one in each run has a *home* for it, to which inputs are
copied before and from which results are copied after; so do buffers on the host. All others, parameters and the state
of optimizers above all, are worked on where they are.
"""

from __future__ import annotations

import ctypes
import struct
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from ..device_memory import Block, heap
from .driver import CUDADevice, DeviceError
from .graph import Graph
from .plan import buffer_sizes, evaluate

Instruction = Mapping[str, Any]

RECORDED_FROM = 6
"""Launches. Programs of fewer, those of eager code above all, are put on the stream one by one, and need no homes."""
ALIGNMENT = 256
"""Of buffers, as the driver allocates them."""
PACKET = 64 * 1024
"""Bytes: what is no longer is in the hands of the driver when a copy returns, also from memory that is not pinned."""
STATIC_SHARED = 48 * 1024
"""Bytes: beyond it, a kernel has to be told that it may have so much shared memory."""


class DeviceProgram:
    """Loaded kernels, ready to launch. Scratch memory is allocated at the first run and goes with the program."""

    recorded: ClassVar[bool] = True
    """Whether runs after the first may be graphs."""

    def __init__(self, device: CUDADevice, cubins: Mapping[str, bytes], plan: Mapping[str, Any]) -> None:
        self.device, self.plan = device, plan
        self.sizes = [size for size, _ in buffer_sizes(plan)]
        self.results = {r["buffer"] for r in plan["results"] if "buffer" in r}
        self.states = {r["argument"] for r in plan["results"] if "argument" in r}
        self.launches = sum(_rounds(instruction) for instruction in plan["launches"])
        self._functions: dict[str, Any] = {}
        with device:
            for name, cubin in cubins.items():
                try:
                    self._functions[name] = device.cuda.module_from_buffer(cubin).get_function(name)
                except device.cuda.Error as error:
                    raise DeviceError(f"CUDA error: {error}, when kernel {name} was loaded") from error
            self._allow_shared(plan["launches"])
        weakref.finalize(self, _forget, device, self._functions).atexit = False

    def _allow_shared(self, instructions: Iterable[Instruction]) -> None:
        attribute = self.device.cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
        for instruction in instructions:
            if "loop" in instruction:
                self._allow_shared(instruction["body"])
            elif instruction["shared"] > STATIC_SHARED:
                self._functions[instruction["kernel"]].set_attribute(attribute, instruction["shared"])

    def bind(self) -> DeviceCall:
        """A call with pointers to fill."""
        return DeviceCall(self)

    @cached_property
    def scratch(self) -> Mapping[str, int]:
        """Where arena and workspace are, in one piece of memory."""
        arena = _aligned(self.plan["arena"])
        self._memory = heap("cuda").block(arena + self.plan["workspace"])
        return {"arena": self._memory.address, "workspace": self._memory.address + arena}

    def launch_all(self, pointers: Sequence[int]) -> None:
        """Puts all launches on the stream, loops unrolled."""
        bases = {("buffer", number): address for number, address in enumerate(pointers)}
        bases |= {(role,): address for role, address in self.scratch.items()} | {("number",): 0}
        self._launch(self.plan["launches"], bases, {})

    def _launch(
        self, instructions: Iterable[Instruction], bases: Mapping[tuple[Any, ...], int], variables: Mapping[str, int]
    ) -> None:
        device = self.device
        for instruction in instructions:
            if "loop" in instruction:
                for counter in range(*instruction["range"]):
                    self._launch(instruction["body"], bases, {**variables, instruction["loop"]: counter})
                continue
            values = [bases[tuple(base)] + evaluate(offset, variables) for base, offset in instruction["arguments"]]
            packed = struct.pack(f"{len(values)}q", *values)
            try:
                self.put(instruction, packed)
                if device.blocking:
                    device.stream.synchronize()
            except device.cuda.Error:
                device.running = {(_named(instruction["kernel"], instruction["line"]),): None}
                raise

    def put(self, launch: Instruction, packed: bytes) -> None:
        """Puts one launch on the stream."""
        function, grid, block = self._functions[launch["kernel"]], tuple(launch["grid"]), tuple(launch["block"])
        function._launch_kernel(grid, block, packed, launch["shared"], self.device.stream)

    @cached_property
    def kernels(self) -> tuple[str, ...]:
        """Those that an error which shows later may be of, with their lines."""
        return tuple(sorted({_named(k["name"], k["line"]) for k in self.plan["kernels"]}))


def _named(kernel: str, line: str) -> str:
    return f"kernel {kernel} ({line or 'no line'})"


class DeviceCall:
    """One set of pointers to memory of the device, or of the host, and the graph that works on them."""

    def __init__(self, program: DeviceProgram) -> None:
        self._program = program
        count = len(program.sizes)
        self._pointers = [0] * count
        self._on_host: set[int] = set()
        self._homes: dict[int, int] = {}
        """Fixed places on the device, by number of buffer."""
        self._memory: list[Block] = []
        """What they are in."""
        self._packet: Packet | None = None
        self._runs = 0
        self._graph: Graph | None = None
        self._recorded: list[int] = []
        """What the graph works on."""

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        self._pointers[index] = address
        if self._program.sizes[index] and not self._program.device.holds(address):
            self._on_host.add(index)
        else:
            self._on_host.discard(index)

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then puts the program on the stream. Waits for it only where results go to the
        host."""
        program = self._program
        with program.device as device:
            for index, address in changes:
                self.set(index, address)
            self._find_homes()
            device.running[program.kernels] = None
            self._send()
            if self._runs and self._is_recorded:
                self._replay()
            else:
                program.launch_all(self._places())
            if not self._runs:
                self._first = list(self._pointers)
            self._runs += 1
            self._fetch()

    @property
    def _is_recorded(self) -> bool:
        """Whether later runs are graphs."""
        program = self._program
        return program.recorded and program.launches >= RECORDED_FROM and not program.device.blocking

    def _places(self) -> list[int]:
        """What the program works on."""
        return [self._homes.get(index, pointer) for index, pointer in enumerate(self._pointers)]

    # Homes

    def _find_homes(self) -> None:
        """Gives a home to every buffer that needs one and has none."""
        wanted = set(self._on_host)
        if self._runs and self._is_recorded:
            wanted |= self._program.results
            wanted |= {i for i, first in enumerate(self._first) if first != self._pointers[i]}
        wanted = {index for index in wanted - self._homes.keys() if self._program.sizes[index]}
        if not wanted:
            return
        sizes = self._program.sizes
        small: list[int] = []
        total = 0
        for index in sorted(wanted & self._on_host) if self._packet is None else ():
            if index < len(self._program.plan["arguments"]) and total + _aligned(sizes[index]) <= PACKET:
                small.append(index)
                total += _aligned(sizes[index])
        if small:
            self._packet = Packet(self._more_memory(total), [(index, sizes[index]) for index in small])
            self._homes |= self._packet.homes
        for index in sorted(wanted - self._homes.keys()):
            self._homes[index] = self._more_memory(sizes[index])

    def _more_memory(self, size: int) -> int:
        block = heap("cuda").block(size)
        self._memory.append(block)
        return block.address

    def _send(self) -> None:
        """Copies inputs to their homes."""
        device, program, packet = self._program.device, self._program, self._packet
        packed: set[int] = set()
        if packet is not None:
            packed = packet.homes.keys() & self._on_host
            packet.send(device, [(index, self._pointers[index]) for index in packed])
        for index, home in self._homes.items():
            if index in packed or index >= len(program.plan["arguments"]):
                continue
            copy = device.copy_in if index in self._on_host else device.copy
            copy(home, self._pointers[index], program.sizes[index])

    def _fetch(self) -> None:
        """Copies results and state from their homes."""
        device, program = self._program.device, self._program
        for index, home in self._homes.items():
            if index in program.results or index in program.states:
                copy = device.copy_out if index in self._on_host else device.copy
                copy(self._pointers[index], home, program.sizes[index])

    # The graph

    def _replay(self) -> None:
        places = self._places()
        if self._graph is None or places != self._recorded:
            self._graph = None  # before the next takes its memory
            self._graph = Graph(self._program.device, lambda: self._program.launch_all(places))
            self._recorded = places
        self._graph.launch()


class Packet:
    """Small inputs from the host, learning rates and step counts above all, which are sent in one copy."""

    def __init__(self, address: int, inputs: Iterable[tuple[int, int]]) -> None:
        self._address = address
        self._places: dict[int, tuple[int, int]] = {}
        self._size = 0
        for index, size in inputs:
            self._places[index] = self._size, size
            self._size += _aligned(size)
        self._host = ctypes.create_string_buffer(self._size)
        self.homes = {index: address + offset for index, (offset, _) in self._places.items()}

    def send(self, device: CUDADevice, inputs: Iterable[tuple[int, int]]) -> None:
        """What lies at these addresses of the host, each at its place."""
        host = ctypes.addressof(self._host)
        for index, address in inputs:
            offset, size = self._places[index]
            ctypes.memmove(host + offset, address, size)
        device.copy_in(self._address, host, self._size)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rounds(instruction: Instruction) -> int:
    """How many launches an instruction is."""
    if "loop" in instruction:
        return len(range(*instruction["range"])) * sum(map(_rounds, instruction["body"]))
    return 1


def _forget(device: CUDADevice, functions: dict[str, Any]) -> None:
    """Lets kernels go while the context is current: else PyCUDA cannot unload them."""
    if device.closed:
        functions.clear()
        return
    with device:
        functions.clear()
