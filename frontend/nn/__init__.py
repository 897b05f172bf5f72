"""Layers, losses and containers: torch.nn."""

import sys as _sys

from ..surface.unsupported import module_getattr
from . import functional, init, utils
from .activation import *
from .adaptive import *
from .attention import *
from .by_rank import *
from .container import *
from .conv import *
from .dropout import *
from .flatten import *
from .lazy import *
from .linear import *
from .loss import *
from .module import Module
from .normalization import *
from .parameter import *
from .pooling import *
from .resize import *
from .rnn import *
from .sparse import *
from .transformer import *

modules = _sys.modules[__name__]
"""PyTorch's folder of layers: they are in this one."""

__all__ = ["Module", "functional", "init", "modules", "utils"]
__all__ += activation.__all__
__all__ += adaptive.__all__
__all__ += attention.__all__
__all__ += by_rank.__all__
__all__ += container.__all__
__all__ += conv.__all__
__all__ += dropout.__all__
__all__ += flatten.__all__
__all__ += lazy.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += normalization.__all__
__all__ += parameter.__all__
__all__ += pooling.__all__
__all__ += resize.__all__
__all__ += rnn.__all__
__all__ += sparse.__all__
__all__ += transformer.__all__

__getattr__ = module_getattr("irtool.nn", lambda: __all__)
