"""CUDA: programs at the gpu level as launches, run on a device or by the emulator on the CPU."""
