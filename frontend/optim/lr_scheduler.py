"""Learning rates that change with time, by PyTorch's formulas: torch.optim.lr_scheduler."""

from ..surface.unsupported import module_getattr
from . import lr_base, lr_cyclic, lr_factors, lr_policies
from .lr_base import *
from .lr_cyclic import *
from .lr_factors import *
from .lr_policies import *

_LRScheduler = LRScheduler

__all__: list[str] = []
__all__ += lr_base.__all__
__all__ += lr_cyclic.__all__
__all__ += lr_factors.__all__
__all__ += lr_policies.__all__

__getattr__ = module_getattr("irtool.optim.lr_scheduler", lambda: __all__)
