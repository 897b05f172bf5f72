"""Helpers on the parameters of a model: torch.nn.utils."""

from ...surface.unsupported import module_getattr
from . import clip_grad, older_norms, parametrizations, parametrize, prune, rnn, vector
from . import skip_init as _skip_init
from .clip_grad import *
from .older_norms import *
from .skip_init import *
from .vector import *

__all__ = ["parametrizations", "parametrize", "prune", "rnn"]
__all__ += clip_grad.__all__
__all__ += older_norms.__all__
__all__ += _skip_init.__all__
__all__ += vector.__all__

__getattr__ = module_getattr("irtool.nn.utils", lambda: __all__)
