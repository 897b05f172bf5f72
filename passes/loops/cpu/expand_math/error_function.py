"""The error function.

erf x = x P(x²) near 0; elsewhere 1 - e^-G(x) with G = -log(erfc x), which is smooth. Both polynomials are least-maximum
fits of the relative error of erf, made for this file, error below 2^-31.
"""

from __future__ import annotations

from .exponential import exp_scaled
from .expr import ScalarExpr, absolute, polynomial, select, with_sign

SMALL = (1.1283792, -0.37612635, 0.11283697, -0.0268595, 0.005201286, -0.0008145597, 8.382388e-05)
LARGE = (
    -0.00015061376, 1.1293818, 0.6336633, 0.10785821, -0.024774512, 0.0039941017, -0.0003788498,
    1.131137e-05, 7.3745485e-07,
)  # fmt: skip


def erf(x: ScalarExpr) -> ScalarExpr:
    a = absolute(x)
    small = a * polynomial(x * x, SMALL)
    capped = select(a > 4.0, 4.0, a)
    large = 1.0 - exp_scaled(-polynomial(capped, LARGE), 0)
    return with_sign(select(a < 0.92, small, large), x)
