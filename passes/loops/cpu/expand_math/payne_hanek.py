"""Argument reduction for huge angles (Payne and Hanek, "Radian reduction for trigonometric functions", SIGNUM 1983).

x = m 2^e with a 24-bit integer m. Of the product of m and 2/pi only a window of bits matters: those above count whole
turns, those below are less than the result's last bit. Three 32-bit words of 2/pi, chosen by e, hold the window.
"""

from __future__ import annotations

from xdsl.dialects import arith

from .expr import F32, F64, I32, I64, ScalarExpr, select

# The bits of 2/pi behind the point, 32 at a time.
WORDS = (0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB)
HALF_PI = 1.5707963267948966


def payne_hanek(x: ScalarExpr) -> tuple[ScalarExpr, ScalarExpr]:
    """(n modulo 4, r) with x = n pi/2 + r, for finite |x| >= 2^26."""
    bits = x.bits()
    m = ((bits & 0x7FFFFF) | 0x800000).to(I64)
    # x = m 2^shift, so in m 2/pi the first `shift` bits of 2/pi count wholes; all but the last two of them whole turns.
    start = ((bits >> 23) & 0xFF) - 152
    first = start >> 5
    within = (start & 31).to(I64)

    def word(k: int) -> ScalarExpr:
        """Word first + k, by choice among the constants."""
        found = m.same(WORDS[k])
        for skipped in range(1, 4):
            found = select(first.equals(skipped), m.same(WORDS[skipped + k]), found)
        return found

    def window(a: ScalarExpr, b: ScalarExpr) -> ScalarExpr:
        """32 bits, `within` bits into the words a and b."""
        return logical_shift((a << 32) | b, 32 - within) & 0xFFFFFFFF

    w0, w1, w2, w3 = (word(k) for k in range(4))
    # The upper 64 of the 96 bits of the product modulo 4, in units of 2^-62.
    product = (m * window(w0, w1) << 32) + m * window(w1, w2) + logical_shift(m * window(w2, w3), m.same(32))
    # Round to the nearest whole number: the rest is signed.
    n = (logical_shift(product, m.same(61)) + 1) >> 1
    r = ((product - (n << 62)).to(F64) * (HALF_PI * 2.0**-62)).to(F32)
    n = n.to(I32)
    negative = bits < 0
    return select(negative, -n, n), select(negative, -r, r)


def logical_shift(x: ScalarExpr, count: ScalarExpr) -> ScalarExpr:
    """Shifts right and fills with zeros."""
    return x.make(arith.ShRUIOp, x, count)
