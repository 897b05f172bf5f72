"""The small named functions and types that generated C uses; a unit gets only those its text mentions."""

from __future__ import annotations

import re

from .names import MATH
from .vector_primitives import (
    ARITY,
    CLANG_HAS,
    ELEMENTS,
    UNROLLED,
    VECTORS,
    Vector,
    lanewise_math,
    unaligned_typedef,
)

SCALARS = {
    "u8": "typedef unsigned char u8;",
    "i8": "typedef signed char i8;",
    "u16": "typedef unsigned short u16;",
    "u32": "typedef unsigned u32;",
    "u64": "typedef unsigned long u64;",
    "INFINITY": "#define INFINITY __builtin_inff()",
    "UNROLLED": UNROLLED,
    "CLANG_HAS": CLANG_HAS,
    "NAN": '#define NAN __builtin_nanf("")',
    "omp_get_thread_num": "int omp_get_thread_num(void);",
    "omp_get_num_threads": "int omp_get_num_threads(void);",
    "prefetch": """\
static inline void prefetch(const void *buffer, long offset)
{
    __builtin_prefetch((const void *)((unsigned long)buffer + offset));
}""",
    "prefetch_to_write": """\
static inline void prefetch_to_write(const void *buffer, long offset)
{
    __builtin_prefetch((const void *)((unsigned long)buffer + offset), 1);
}""",
    "check_index": """\
int dprintf(int file, const char *format, ...);
void _Exit(int code) __attribute__((noreturn));

static inline void check_index(long index, long limit, const char *where)
{
    if (index >= 0 && index < limit)
        return;
    dprintf(2, "%s: expected an index from 0 to %ld, given %ld\\n", where, limit - 1, index);
    _Exit(1);
}""",
    "barrier": "void barrier(long threads);  // waits for the whole team",
    "flush_denormals": """\
// Sets whether denormal numbers count as zero in this thread, and returns the mode that it had.
static inline unsigned long flush_denormals(int flush)
{
#if defined(__SSE2__)
    const unsigned mode = __builtin_ia32_stmxcsr(), bits = 0x8040;  // denormal results and denormal operands
    __builtin_ia32_ldmxcsr(flush ? mode | bits : mode & ~bits);
    return mode;
#elif defined(__aarch64__)
    const unsigned long bits = 1ul << 24;
    unsigned long mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"(flush ? mode | bits : mode & ~bits) : "memory");
    return mode;
#else
    (void)flush;
    return 0;
#endif
}""",
    "restore_mode": """\
static inline void restore_mode(unsigned long mode)
{
#if defined(__SSE2__)
    __builtin_ia32_ldmxcsr(mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
#else
    (void)mode;
#endif
}""",
    "share_start": """\
static inline long share_start(long chunks, long thread, long threads)  // the first chunk of a thread's share
{
    return (chunks * thread + threads - 1) / threads;
}""",
    "floor_div": """\
static inline long floor_div(long x, long y)
{
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}""",
    "ceil_div": """\
static inline long ceil_div(long x, long y)
{
    return x / y + (x % y != 0 && (x < 0) == (y < 0));
}""",
    "mulhi_long": """\
static inline long mulhi_long(long x, long y)  // the high half of the product
{
    return (long)((__int128)x * y >> 64);
}""",
    "mulhi_u64": """\
static inline long mulhi_u64(unsigned long x, unsigned long y)  // the high half of the product
{
    return (long)((unsigned __int128)x * y >> 64);
}""",
}


BARRIER = """\
int sched_yield(void);

// Waits for the whole team. Stores before it are seen by every thread after it. A thread that waits long lets others
// run: spinning on, as OpenMP's barrier does, would keep the one that all wait for from its core on a busy machine.
void barrier(long threads)
{
    static long arrived __attribute__((aligned(64))), turn __attribute__((aligned(64)));

    if (threads == 1)
        return;
    long mine = __atomic_load_n(&turn, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL) == threads - 1) {
        __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&turn, mine + 1, __ATOMIC_RELEASE);
        return;
    }
    for (long spins = 0; __atomic_load_n(&turn, __ATOMIC_ACQUIRE) == mine; spins++) {
        if (spins > 500)
            sched_yield();
#if defined(__x86_64__)
        else
            __builtin_ia32_pause();
#endif
    }
}
"""
"""The definition of `barrier`, once in a program: beside the host function."""


def _extremum(name: str, type_: str, suffix: str, sign: str, nan: str, comment: str) -> str:
    # In two steps: as one condition the C compiler makes jumps of it, which nothing predicts, and no vectors.
    return (
        f"static inline {type_} {name}_{suffix}({type_} x, {type_} y)  // {comment}\n"
        f"{{\n    {type_} m = x {sign} y ? x : y;\n    return {nan} != {nan} ? x : m;\n}}"
    )


for _suffix, _type in (("f32", "float"), ("f64", "double")):
    for _name, _sign in (("max", ">"), ("min", "<")):
        SCALARS[f"{_name}_{_suffix}"] = _extremum(_name, _type, _suffix, _sign, "x", "NaN wins")
        SCALARS[f"{_name}num_{_suffix}"] = _extremum(f"{_name}num", _type, _suffix, _sign, "y", "NaN loses")
for _suffix, _type in (("i8", "signed char"), ("u8", "unsigned char"), ("i32", "int"), ("u32", "unsigned"),
                       ("i64", "long"), ("u64", "unsigned long")):  # fmt: skip
    for _name, _sign in (("max", ">"), ("min", "<")):
        SCALARS[f"{_name}_{_suffix}"] = (
            f"static inline {_type} {_name}_{_suffix}({_type} x, {_type} y)\n{{\n    return x {_sign} y ? x : y;\n}}"
        )
for _to, _from in (("int", "float"), ("float", "int"), ("long", "double"), ("double", "long")):
    SCALARS[f"{_from}_as_{_to}"] = (
        f"static inline {_to} {_from}_as_{_to}({_from} x)  // the same bits\n"
        f"{{\n    {_to} y;\n    __builtin_memcpy(&y, &x, sizeof y);\n    return y;\n}}"
    )


def _math_declaration(word: str) -> str | None:
    """`float sqrtf(float);`: reading the whole of <math.h> takes longer than compiling a small kernel."""
    if word in MATH:
        type_, function = "double", word
    elif word.endswith("f") and word[:-1] in MATH:
        type_, function = "float", word[:-1]
    else:
        return None
    return f"{type_} {word}({', '.join([type_] * ARITY.get(function, 1))});"


_WORD = re.compile(r"[A-Za-z_]\w*")
_COMMENT = re.compile(r"//.*")  # holds names of files, which may look like anything
_VECTOR_NAME = re.compile(r"(?:(\w+)_)?(v\d+[a-z])(_u)?")


def _definition(word: str) -> str | None:
    """The C text that defines a name, or None where it is not a primitive."""
    if word in SCALARS:
        return SCALARS[word]
    match = _VECTOR_NAME.fullmatch(word)
    if match is None or match[2][-1] not in ELEMENTS:
        return _math_declaration(word)
    function, vector, unaligned = match[1] or "", Vector(match[2]), match[3]
    if unaligned:
        return unaligned_typedef(vector)
    if function in VECTORS:
        return VECTORS[function](vector)
    return lanewise_math(function, vector) if function in MATH else None


_cache: dict[str, str | None] = {}


def primitives_for(text: str) -> list[str]:
    """Definitions of all primitives that a C text mentions, each after those it needs itself."""
    found: dict[str, str] = {}

    def visit(source: str) -> None:
        for word in dict.fromkeys(_WORD.findall(_COMMENT.sub("", source))):
            if word in found:
                continue
            if word not in _cache:
                _cache[word] = _definition(word)
            definition = _cache[word]
            if definition is None:
                continue
            found[word] = ""  # a function mentions its own name
            visit(definition)
            del found[word]
            found[word] = definition

    visit(text)
    types = [d for d in found.values() if d.startswith("typedef")]
    return types + [d for d in found.values() if not d.startswith("typedef")]


_BOOL = re.compile(r"\b(?:bool|true|false)\b")


def includes_for(text: str) -> list[str]:
    """The headers that a C text needs; each costs time in every unit."""
    return ["#include <stdbool.h>"] if _BOOL.search(text) else []
