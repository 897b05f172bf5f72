"""PyTorch's operations on tensors, by family. Each module ends in the tables of names that `surface` installs."""
