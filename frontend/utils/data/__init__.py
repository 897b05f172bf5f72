"""Datasets, samplers and loaders: torch.utils.data."""

from ...surface.unsupported import module_getattr
from . import collate, dataloader, dataset, datasets, distributed, sampler, worker
from .collate import *
from .dataloader import *
from .dataset import *
from .distributed import *
from .sampler import *
from .worker import *

__all__ = ["datasets", "distributed"]
__all__ += collate.__all__
__all__ += dataloader.__all__
__all__ += dataset.__all__
__all__ += distributed.__all__
__all__ += sampler.__all__
__all__ += worker.__all__

__getattr__ = module_getattr("irtool.utils.data", lambda: __all__)
