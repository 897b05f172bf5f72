"""Runs CUDA C on a CPU, and checks what it does to memory: `program.EmulatedProgram`.

kernels.h      what the words of CUDA C mean here; the compiler calls back at every access to memory
memory.cpp     buffers in guarded mappings of their own
checks.cpp     what is checked of an access: its place, its alignment, who else touched the element and when
copies.cpp     asynchronous copies to shared memory
fibers.cpp     the threads of a block
launch.cpp     the blocks of a launch, in one order or in several that must agree
"""
