"""torch.autograd: gradients on request, functions with a backward of their own, checks by finite differences."""

from __future__ import annotations

from .. import grad_mode
from ..grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..surface.unsupported import module_getattr
from . import functional
from . import gradcheck as _gradcheck
from .anomaly_mode import *
from .function import *
from .gradcheck import *
from .gradients import *
from .variable import *

__all__ = ["enable_grad", "function", "functional", "grad_mode", "inference_mode", "no_grad", "set_grad_enabled"]
__all__ += anomaly_mode.__all__
__all__ += function.__all__
__all__ += _gradcheck.__all__
__all__ += gradients.__all__
__all__ += variable.__all__

__getattr__ = module_getattr("irtool.autograd", lambda: __all__)
