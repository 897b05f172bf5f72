"""What the device can do at all, measured: bytes copied, multiplications with additions, the cost of a launch."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from irtool.codegen.cuda.cuda import Kernel
from irtool.runtime.cuda.compiler import architecture, find_cuda_compiler
from irtool.runtime.cuda.driver import CUDADevice, open_device
from irtool.runtime.cuda.graph import Graph

GIB = 1 << 30
FMA = """
    float a = threadIdx.x, b = a + 1.0f, c = a + 2.0f, d = a + 3.0f;
    for (int i = 0; i < ROUNDS; i++) {
#pragma unroll
        for (int k = 0; k < 16; k++)
            a = a * b + 0.5f, b = b * c + 0.5f, c = c * d + 0.5f, d = d * a + 0.5f;
    }
    if (a + b + c + d == 1.0f)
        x[0] = a;
"""
FLOPS_OF_ROUND = 16 * 4 * 2


def milliseconds(device: CUDADevice, run: Callable[[], None], repeats: int = 20) -> float:
    """The median time of something put on the stream."""
    times: list[float] = []
    with device:
        for number in range(repeats + 3):
            begin, end = device.cuda.Event(), device.cuda.Event()
            begin.record(device.stream)
            run()
            end.record(device.stream)
            end.synchronize()
            if number >= 3:
                times.append(begin.time_till(end))
    return sorted(times)[len(times) // 2]


def function(device: CUDADevice, name: str, body: str, threads: int) -> Any:
    """A kernel by hand, of one parameter `float *x`."""
    kernel = Kernel(
        name=name, comment="", prototype=f'extern "C" __global__ void __launch_bounds__({threads}) {name}(float *x)',
        body=body, grid=(1, 1, 1), block=(threads, 1, 1), shared=0, parameters=("x",), written=(True,),
        types=("float",),
    )  # fmt: skip
    cubin = find_cuda_compiler().compile(kernel, architecture(device.capability))
    with device:
        return device.cuda.module_from_buffer(cubin).get_function(name)


def measure(rounds: int = 4096, nodes: int = 1000) -> dict[str, float]:
    """GB/s of a copy (reads and writes), TFLOP/s in f32 on CUDA cores, µs of a node of a graph and of a launch."""
    device = open_device()
    size = GIB if device.total_memory > 8 * GIB else 1 << 20
    source, target = device.alloc(size), device.alloc(size)
    fma, empty = function(device, "fma", FMA.replace("ROUNDS", str(rounds)), 256), function(device, "empty", "", 32)
    packed, blocks = struct.pack("q", source), device.multiprocessors * 8

    def launch_fma() -> None:
        fma._launch_kernel((blocks, 1, 1), (256, 1, 1), packed, 0, device.stream)

    def launch_empty() -> None:
        for _ in range(nodes):
            empty._launch_kernel((1, 1, 1), (32, 1, 1), packed, 0, device.stream)

    graph = Graph(device, launch_empty)
    found = {
        "copy GB/s": 2 * size / milliseconds(device, lambda: device.copy(target, source, size)) / 1e6,
        "f32 TFLOP/s": FLOPS_OF_ROUND * rounds * 256 * blocks / milliseconds(device, launch_fma) / 1e9,
        "node µs": milliseconds(device, graph.launch) * 1e3 / nodes,
        "launch µs": milliseconds(device, launch_empty, 5) * 1e3 / nodes,
    }
    device.free(source)
    device.free(target)
    return {name: round(value, 3) for name, value in found.items()}
