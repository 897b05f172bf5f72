"""Printing of gpu-level IR as CUDA C that a person can read and nvcc takes as it stands: `cuda.print_cuda`."""
