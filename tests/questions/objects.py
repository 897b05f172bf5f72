"""Rows whose objects hold a number, or show it."""

from __future__ import annotations

from .names import *


def dataclass_of_it():
    @dataclasses.dataclass
    class Options:
        lr: float = 0.1
        steps: int = 1

    def f(x, s):
        options = Options(lr=s)
        return x * options.lr, options, options == Options(0.5), dataclasses.asdict(options)

    return f


def frozen_dataclass_as_key():
    @dataclasses.dataclass(frozen=True)
    class Key:
        s: float

    return lambda x, s: x * {Key(0.5): 2.0, Key(1): 3.0}.get(Key(s), 4.0)


def ordered_dataclass():
    @dataclasses.dataclass(order=True)
    class Priority:
        s: float

    return lambda x, s: (x, Priority(s) < Priority(0.6), max(Priority(s), Priority(1)).s)


def namedtuple_of_it():
    Point = collections.namedtuple("Point", "a b")

    def f(x, s):
        p = Point(s, 2)
        return x * p.a, p, p == (0.5, 2), p._replace(b=s)

    return f


def slots():
    class Slotted:
        __slots__ = ("s",)

        def __init__(self, s):
            self.s = s

    def f(x, s):
        kept = Slotted(s)
        kept.s += 1
        return x * kept.s, kept.s

    return f


def properties():
    class Schedule:
        def __init__(self, s):
            self._s = s

        @property
        def rate(self):
            return self._s / 2

        @rate.setter
        def rate(self, value):
            if value < 0:
                raise ValueError(value)
            self._s = value * 2

    def f(x, s):
        schedule = Schedule(s)
        schedule.rate = s
        return x * schedule.rate

    return f


def descriptor():
    class Positive:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, instance, owner):
            return getattr(instance, self.name)

        def __set__(self, instance, value):
            if not value > 0:
                raise ValueError(value)
            setattr(instance, self.name, value)

    class Options:
        lr = Positive()

    def f(x, s):
        options = Options()
        options.lr = s
        return x * options.lr

    return f


def operators_of_a_class():
    class Scale:
        def __init__(self, by):
            self.by = by

        def __mul__(self, other):
            return Scale(self.by * other)

        def __rmul__(self, other):
            return Scale(other * self.by)

        def __radd__(self, other):
            return self.by + other

        def __eq__(self, other):
            return self.by == other

        def __hash__(self):
            return hash(self.by)

    def f(x, s):
        return x * (s * Scale(2.0)).by, (Scale(3.0) * s).by, s + Scale(1), s == Scale(0.5), len({Scale(s), Scale(0.5)})

    return f


def reflected_only():
    class Meters:
        __slots__ = ()

        def __rtruediv__(self, other):
            return ("over", other)

        def __rsub__(self, other):
            return type(other).__name__

        def __gt__(self, other):
            return isinstance(other, float)

    return lambda x, s: (x, s / Meters(), s - Meters(), s < Meters())


def own_float_like():
    class Rate:
        def __init__(self, s):
            self.s = s

        def __float__(self):
            return float(self.s)

        def __index__(self):
            return operator.index(self.s)

    return lambda x, s: (x * float(Rate(s)), math.sqrt(abs(Rate(s).s)), math.floor(float(Rate(s))))


def enumeration():
    class Rate(enum.Enum):
        half = 0.5
        one = 1
        two = 2

    def f(x, s):
        try:
            return x, Rate(s).name
        except ValueError:
            return x, "none"

    return f


def int_flags():
    class Mode(enum.IntFlag):
        a = 1
        b = 2

    return lambda x, s: (x, Mode.a in Mode(int(s) & 3) if s == s and abs(s) < 9 else None)


def context_manager():
    @contextlib.contextmanager
    def scaled(s):
        log.append(("enter", s))
        yield s * 2
        log.append("exit")

    def f(x, s):
        with scaled(s) as t:
            return x * t

    f.__globals__["log"].clear()
    return f


def suppressed(x, s):
    with contextlib.suppress(ZeroDivisionError):
        x = x / (1 / s)
    return x


def setattr_by_name(x, s):
    setattr(o, "lr", s)
    setattr(o, f"lr_{isinstance(s, float)}", 1)
    return x * getattr(o, "lr")


def vars_of_it(x, s):
    vars(o).update(lr=s)
    return x * o.lr, sorted(vars(o))


def locals_and_eval(x, s):
    return x * eval("s * 2"), locals()["s"]


def globals_written(x, s):
    globals()["latest"] = s
    return x * globals()["latest"]


def exec_of_it(x, s):
    scope = {"s": s}
    exec("t = s * 2 if s > 0.6 else s", scope)
    return x * scope["t"]


def printed(x, s):
    print(s, f"{s:.1f}", [s], sep=" | ")
    return x * s


def printed_after_arithmetic(x, s):
    print("lr", s * 0.5, round(s * 3, 2))
    return x * s * 0.5


def printed_on_condition(x, s):
    if s > 0.6:
        print("large")
    return x


def formatted_later(x, s):
    template = "lr={lr:.3f}"
    o.text = template.format(lr=s)
    return x
