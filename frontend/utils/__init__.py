"""Helpers around training: torch.utils."""
