"""Optimizers: torch.optim."""

from ..surface.unsupported import module_getattr
from . import lr_scheduler, swa_utils
from .adafactor import *
from .adam import *
from .adaptive import *
from .averaging import *
from .lbfgs import *
from .nadam import *
from .optimizer import *
from .sgd import *

__all__ = ["lr_scheduler", "swa_utils"]
__all__ += adafactor.__all__
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += averaging.__all__
__all__ += lbfgs.__all__
__all__ += nadam.__all__
__all__ += optimizer.__all__
__all__ += sgd.__all__

__getattr__ = module_getattr("irtool.optim", lambda: __all__)
