"""PyTorch's operations on tensors, by family. Each module ends in tables of names, which `surface` installs."""
