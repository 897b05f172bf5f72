"""CUDA as targets: the program for a device, and the same program run on the CPU by the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...passes.pipeline import CUDA as STAGES
from ...passes.target import GPUS, GPUTarget
from ..backend import Backend, TimedProgram, Translation
from ..c_compiler import ToolchainError
from ..cache import CacheEntry, get_cache
from ..plan import buffer_interface, host_of, memory_report, tensor_interface
from ..toolchain import find_compiler
from . import precision
from .compiler import architecture, bundle, compile_cubins, find_cuda_compiler, unbundle

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ...codegen.cuda.cuda import CudaProgram
    from .emulator.program import EmulatedProgram
    from .program import DeviceProgram

DEFAULT = "sm_80"
"""What is planned for where no device says what it is."""


def _allowed(machine: GPUTarget) -> GPUTarget:
    """A machine, and how accurate products on it have to be."""
    return replace(machine, tf32=int(precision.allow_tf32))


class OnGPU(Backend):
    """What both have in common: the way to CUDA C, and the plan of its launches."""

    pipeline = STAGES
    machines = GPUS

    def machine(self) -> GPUTarget:
        return _allowed(GPUS[DEFAULT])

    def translate(self, module: ModuleOp) -> Translation:
        plan, program = self._lowered(module)
        return Translation(plan, {f"{kernel.name}.cu": kernel.source for kernel in program.kernels.values()})

    def _lowered(self, module: ModuleOp) -> tuple[dict[str, Any], CudaProgram]:
        from ...codegen.cuda.cuda import print_cuda
        from .plan import launch_plan

        clone = module.clone()
        interface = tensor_interface(host_of(clone))
        reports = self.lower(clone, "memref").reports
        if interface is None:
            interface = buffer_interface(host_of(clone))
        memory = memory_report(host_of(clone))
        reports += self.lower(clone, goes_on=True).reports
        program = print_cuda(clone)
        plan = launch_plan(clone, program, interface)
        return {**plan, "stages": [asdict(r) for r in reports], "memory": memory}, program

    def one_file(self, module: ModuleOp) -> str:
        return self._lowered(module)[1].one_file()


class EmulatedCUDA(OnGPU):
    """Runs the CUDA C of a program on the CPU, and checks what it does: see runtime/cuda/emulator."""

    name = "cuda-emulated"

    def identity(self) -> str:
        return f"{find_compiler().identity} {sorted(self.machine().options().items())}"

    def build(self, key: str, module: ModuleOp) -> CacheEntry:
        from .emulator.build import build_emulated

        cache = get_cache()
        entry = cache.program(key)
        if entry is None:
            plan, program = self._lowered(module)
            entry = build_emulated(key, program.kernels.values(), plan, cache)
        return entry

    def load(self, built: CacheEntry) -> EmulatedProgram:
        from .emulator.program import EmulatedProgram

        return EmulatedProgram(built.shared_object, built.plan)

    def doctor(self) -> Iterator[tuple[str, str]]:
        from .emulator.build import compiler

        found = compiler()
        yield "compiler", f"{' '.join(found.command)} -x c++: {found.version}"


class CUDA(OnGPU):
    """A GPU of NVIDIA's, through PyCUDA."""

    name = "cuda"
    language = "cuda"

    def machine(self) -> GPUTarget:
        """The device at hand; texts alone can be had without one, for one of the presets."""
        from .driver import missing, open_device

        if missing() is not None:
            return super().machine()
        device = open_device()
        major, minor = device.capability
        found = GPUS["sm_90a"] if major >= 9 else GPUS["sm_80"]
        return _allowed(replace(found, capability=10 * major + minor, multiprocessors=device.multiprocessors))

    def identity(self) -> str:
        from .driver import open_device

        arch = architecture(open_device().capability)
        return f"{find_cuda_compiler().identity} {arch} {sorted(self.machine().options().items())}"

    def build(self, key: str, module: ModuleOp) -> CacheEntry:
        from .driver import open_device

        cache, compiler, arch = get_cache(), find_cuda_compiler(), architecture(open_device().capability)
        entry = cache.program(key)
        if entry is not None:
            return entry
        plan, program = self._lowered(module)
        cubins = compile_cubins(program.kernels.values(), compiler, arch, cache)
        sources = {f"{kernel.name}.cu": kernel.source for kernel in program.kernels.values()}
        with cache.lock(key):
            return cache.program(key) or cache.add_program(key, plan, sources, lambda path: bundle(cubins, path))

    def load(self, built: CacheEntry) -> DeviceProgram:
        from .driver import open_device
        from .program import DeviceProgram

        return DeviceProgram(open_device(), unbundle(built.shared_object), built.plan)

    def profiled(self, module: ModuleOp) -> TimedProgram:
        from ..compiler import program_key
        from .driver import open_device
        from .profiling import TimedDeviceProgram

        built = self.build(program_key(module, self), module)
        return TimedDeviceProgram(open_device(), unbundle(built.shared_object), built.plan)

    def doctor(self) -> Iterator[tuple[str, str]]:
        from .driver import missing, open_device

        reason = missing()
        if reason is not None:
            yield "GPU", f"none: {reason}"
            return
        device = open_device()
        major, minor = device.capability
        yield (
            "GPU",
            f"{device.name}: compute capability {major}.{minor}, {device.multiprocessors} multiprocessors, "
            f"{device.total_memory / 2**30:.1f} GiB",
        )
        yield "driver", f"CUDA {device.driver_version}, PyCUDA {version('pycuda')}"
        try:
            compiler = find_cuda_compiler()
        except ToolchainError as error:
            yield "CUDA C", f"none: {error}"
            return
        yield "CUDA C", f"{compiler.name} {compiler.version}, for {architecture(device.capability)}"
