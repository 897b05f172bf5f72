"""Names of values in C: taken from the SSA names, made valid, kept apart."""

from __future__ import annotations

import re

from ..dialects.names import identifier as readable

_KEYWORDS = """auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    asm typeof bool true false and or not xor nullptr constexpr alignas alignof static_assert thread_local
    new class template this operator private public namespace using delete try catch throw virtual friend
    main NULL I INFINITY NAN HUGE_VAL EOF unix linux i386 errno assert u8 u16 u32 u64 i8 isnan isinf isfinite signbit
    omp_get_thread_num omp_get_num_threads share_start floor_div ceil_div mulhi_long mulhi_u64 barrier sched_yield
    flush_denormals restore_mode
    malloc free calloc realloc memcpy memmove memset memcmp abort exit"""
_MATH = """sqrt cbrt fabs exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh
    acosh atanh erf erfc pow fmod remainder floor ceil round trunc rint nearbyint roundeven fma fmax fmin copysign hypot
    tgamma lgamma ldexp frexp scalbn modf nextafter logb ilogb fdim lrint llrint lround llround remquo gamma
    j0 j1 jn y0 y1 yn abs labs llabs significand drem finite"""

KEYWORDS = frozenset(_KEYWORDS.split())
"""What may not be used as a name: C, C++ (for CUDA), macros of common headers, and what generated code itself calls."""

MATH = frozenset(_MATH.split())
"""Functions of <math.h>; each also exists with the suffix f (float) and l (long double)."""

RESERVED = KEYWORDS | MATH | {n + "f" for n in MATH} | {n + "l" for n in MATH}
# `v16f`, `v16f_u`, `load_v16f`, `min_f32`, `int_as_float`: what the primitives are called.
_NUMBERS = "(float|double|int|long)"
_PRIMITIVE = re.compile(rf"(.*_)?v\d+[a-z](_u)?|(min|max)(num)?_[a-z]\d+|{_NUMBERS}_as_{_NUMBERS}")

LOOP_NAMES = "ijklmnpqrs"


def identifier(hint: str) -> str:
    """A valid C identifier that resembles the hint; hints come from IR text and may hold anything."""
    name = readable(hint).strip("_")
    if not name:
        return "value"
    if name[0].isdigit() or name.startswith(("omp_", "GOMP_")):
        name = "x" + name
    name = name[:60]
    return f"{name}_" if _is_reserved(name) else name


def _is_reserved(name: str) -> bool:
    return name in RESERVED or _PRIMITIVE.fullmatch(name) is not None


class Names:
    """Names in nested scopes: a name is unique among those visible, and free again after its scope."""

    def __init__(self, taken: tuple[str, ...] = ()):
        self._scopes: list[list[str]] = [list(taken)]
        self._visible: set[str] = set(taken)
        self._next: dict[str, int] = {}
        self._outer: list[dict[str, int]] = []

    def push(self) -> None:
        """Opens a scope."""
        self._scopes.append([])
        self._outer.append(dict(self._next))

    def pop(self) -> None:
        """Closes the innermost scope and frees its names."""
        self._visible.difference_update(self._scopes.pop())
        self._next = self._outer.pop()

    def fresh(self, hint: str) -> str:
        """A new name in the innermost scope: the hint itself, or the hint and a number."""
        base = name = identifier(hint)
        if name in self._visible:
            separator = "_" if base[-1].isdigit() or _is_reserved(f"{base}1") else ""
            number = self._next.get(base, 1)
            while (name := f"{base}{separator}{number}") in self._visible:
                number += 1
            self._next[base] = number + 1
        return self._take(name)

    def temporary(self, letter: str) -> str:
        """A new name for a value without a hint: `t0`, `t1` …"""
        number = self._next.get(letter, 0)
        while (name := f"{letter}{number}") in self._visible:
            number += 1
        self._next[letter] = number + 1
        return self._take(name)

    def loop(self) -> str:
        """A new name for a loop variable: i, j, k …"""
        for letter in LOOP_NAMES:
            if letter not in self._visible:
                return self._take(letter)
        return self.temporary("i")

    def _take(self, name: str) -> str:
        self._visible.add(name)
        self._scopes[-1].append(name)
        return name
