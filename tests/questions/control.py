"""Rows that branch, loop, catch and call by a number."""

from __future__ import annotations

from .names import *


def while_below(x, s):
    n = 0
    while n < s and n < 5:
        x = x + 1
        n += 1
    return x, n


def halve_until_small(x, s):
    k = 0
    while abs(s) > 0.2 and k < 8:
        s = s / 2
        k += 1
    return x * s, k


@meant_for("counts", "signed", "kinds", "bools")
def for_range(x, s):
    for i in range(s):
        x = x * 2 + i
    return x


def for_with_break(x, s):
    for i, t in enumerate((0.1, 0.6, 1.0, 2.0)):
        if t > s:
            break
    else:
        i = 9
    return x + i


def short_circuits(x, s):
    log.append("called")
    return x * ((s > 0.6 and s) or 0.5), s and log.append(1), s or log.append(2)


def conditional_effects(x, s):
    if s > 0.6:
        log.append("large")
    elif s < 0:
        memo["negative"] = True
    o.last = "seen"
    return x


def walrus(x, s):
    if (t := s * 2) > 1.2:
        return x * t
    return x


def caught_division(x, s):
    try:
        return x * (1 / s)
    except ZeroDivisionError:
        return x * 0


def caught_domain(x, s):
    try:
        return x * math.sqrt(s)
    except ValueError:
        return x - 1


def caught_overflow(x, s):
    try:
        return x + math.exp(s * 1000)
    except OverflowError:
        return x * 0


def caught_key(x, s):
    try:
        return x * {0.5: 3.0, 1: 4.0}[s]
    except KeyError as e:
        return x, e.args


def caught_index(x, s):
    try:
        return x * [10, 20][s]
    except (IndexError, TypeError):
        return x


def caught_attribute(x, s):
    try:
        return x + s.bit_length()
    except AttributeError:
        return x


def finally_with_effect(x, s):
    try:
        if s < 0:
            raise ValueError(s)
        return x * s
    finally:
        log.append("left")


def raises_with_the_number(x, s):
    if s > 1:
        raise RuntimeError(f"too large: {s}")
    return x


def raises_its_own(x, s):
    class TooLarge(Exception):
        pass

    try:
        if s > 0.6:
            raise TooLarge(s)
    except TooLarge as e:
        return x * e.args[0]
    return x


def returns_by_kind(x, s):
    return (x, s) if s > 0.6 else [x, s]


def comprehension(x, s):
    return x * sum(s * k for k in range(3)), [s + k for k in range(2)], dict.fromkeys("ab", s)


def generator(x, s):
    def values():
        yield s
        yield s * 2

    return x * sum(values())


def generator_that_is_sent_it(x, s):
    def adding():
        total = 0
        while True:
            total += yield total

    g = adding()
    next(g)
    g.send(s)
    return x * g.send(1)


def recursion(x, s):
    def go(x, s):
        return x if s < 0.2 or s != s or s > 4 else go(x + 1, s - 0.3)

    return go(x, s)


def star_arguments(x, s):
    def inner(*args, **kwargs):
        return args[0] * args[1] + kwargs["b"]

    return inner(*(x, s), b=s)


def through_lambda_and_map(x, s):
    return x * list(map(lambda v: v * 2, [s]))[0], max(map(lambda v: v + 1, (s, 0.6)))


def closure_counter():
    total = 0

    def f(x, s):
        nonlocal total
        total += s
        return x * total, total

    return f


def closure_of_the_number(x, s):
    def scale(y):
        return y * s

    return scale(x), scale.__closure__[0].cell_contents == s


def partial_kept():
    parts: dict[Any, Any] = {}

    def f(x, s):
        parts.setdefault(s, functools.partial(operator.mul, s))
        return x + len(parts), parts[s](x)

    return f


@meant_for("zeros", "rates")
def division_that_nobody_needs(x, s):
    t = 1 / s
    return x * 2


@meant_for("agree", "special")
def root_that_nobody_needs(x, s):
    t = math.sqrt(s)
    o.done = True
    return x * 2


@meant_for("special")
def checked_but_not_used(x, s):
    assert math.trunc(s) is not None
    return x * 2


@meant_for("counts", "mixed")
def one_number_and_another(x, s):
    o.n = getattr(o, "n", -1) + 1
    return x * 2 if s is o.n else x
