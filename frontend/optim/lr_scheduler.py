"""Learning rates that change with time, by PyTorch's formulas: torch.optim.lr_scheduler."""

from ..surface.unsupported import module_getattr
from .lr_base import LRScheduler
from .lr_cyclic import CyclicLR
from .lr_factors import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .lr_policies import ChainedScheduler, OneCycleLR, ReduceLROnPlateau, SequentialLR

_LRScheduler = LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

__getattr__ = module_getattr("irtool.optim.lr_scheduler", lambda: __all__)
