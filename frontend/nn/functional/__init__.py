"""Functions behind the layers: torch.nn.functional."""

from ...ops.gathering import one_hot
from ...surface.argument_kinds import install as _explain_arguments
from ...surface.unsupported import module_getattr
from . import dropout as _dropout
from . import linear as _linear
from .activation import *
from .adaptive_pooling import *
from .attention import *
from .classification import *
from .convolution import *
from .ctc import *
from .distance import *
from .dropout import *
from .grids import *
from .in_place import *
from .linear import *
from .loss import *
from .margins import *
from .normalization import *
from .older_arguments import install as _take_older_arguments
from .older_names import *
from .padding import *
from .pooling import *
from .resize import *
from .sampling import *
from .selections import install as _accept_selections
from .sparse import *
from .unpooling import *
from .windows import *

__all__ = ["one_hot"]
__all__ += activation.__all__
__all__ += adaptive_pooling.__all__
__all__ += attention.__all__
__all__ += classification.__all__
__all__ += convolution.__all__
__all__ += ctc.__all__
__all__ += distance.__all__
__all__ += _dropout.__all__
__all__ += grids.__all__
__all__ += in_place.__all__
__all__ += _linear.__all__
__all__ += loss.__all__
__all__ += margins.__all__
__all__ += normalization.__all__
__all__ += older_names.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += resize.__all__
__all__ += sampling.__all__
__all__ += sparse.__all__
__all__ += unpooling.__all__
__all__ += windows.__all__

_explain_arguments(globals())
_accept_selections(globals())
_take_older_arguments(globals())

__getattr__ = module_getattr("irtool.nn.functional", lambda: __all__)
