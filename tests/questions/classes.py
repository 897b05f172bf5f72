"""Rows in which a number or a tensor meets what a class of the user's does."""

from __future__ import annotations

from .names import *


def dataclass_post_init():
    @dataclasses.dataclass
    class Schedule:
        rate: float
        warm: bool = dataclasses.field(init=False)

        def __post_init__(self):
            self.warm = self.rate < 0.6
            if self.rate != self.rate:
                raise ValueError("rate")

    return lambda x, s: x * 2 if Schedule(s).warm else x - Schedule(s).rate


def enum_by_value():
    class Phase(enum.Enum):
        WARM = 0.5
        MAIN = 1
        LAST = 2

        @classmethod
        def _missing_(cls, value):
            return cls.LAST

    return lambda x, s: (x * Phase(s).value, Phase(s))


def flags_of_it():
    class Parts(enum.IntFlag):
        A = 1
        B = 2
        C = 4

    return lambda x, s: (x + 1 if Parts.B in Parts(s & 7) else x - 1, len(list(Parts(s & 7))))


flags_of_it.sequences = ("counts", "later")


def single_dispatch_method():
    class Encoder:
        @functools.singledispatchmethod
        def put(self, s):
            return 100.0

        @put.register(int)
        def _(self, s):
            return 1.0

        @put.register(float)
        def _(self, s):
            return 2.0

    encoder = Encoder()
    return lambda x, s: x * encoder.put(s)


def missing_key():
    class Table(dict):
        def __missing__(self, key):
            self[key] = len(self)
            return self[key]

    table = Table()
    return lambda x, s: (x * table[s], len(table))


def getattr_of_options():
    class Options:
        def __init__(self, **given):
            self.__dict__["given"] = given

        def __getattr__(self, name):
            self.given["asked"] = self.given.get("asked", 0) + 1
            return self.given[name]

    options = Options(rate=2.0)

    def f(x, s):
        options.given["rate"] = s
        return x * options.rate + options.asked

    return f


def property_that_counts():
    class Meter:
        reads = 0

        @property
        def rate(self):
            self.reads += 1
            return self._rate

        @rate.setter
        def rate(self, value):
            self._rate = min(value, 1.0)

    meter = Meter()

    def f(x, s):
        meter.rate = s
        return x * meter.rate + (meter.rate > 0.6), meter.reads

    return f


def slots_with_default():
    class Cell:
        __slots__ = ("count", "last")

        def __init__(self):
            self.count = 0

    cell = Cell()

    def f(x, s):
        before = getattr(cell, "last", 0.25)
        cell.last, cell.count = s, cell.count + 1
        return x * before, cell.count, cell.last

    return f


def instances_counted():
    class Node:
        made = 0
        alive = {}

        def __init__(self, s):
            type(self).made += 1
            self.number = Node.made
            Node.alive[self.number] = s

    return lambda x, s: (x * Node(s).number, list(Node.alive.values()))


def matched_class():
    class Point:
        __match_args__ = ("a", "b")

        def __init__(self, a, b):
            self.a, self.b = a, b

    def f(x, s):
        match Point(s, 1):
            case Point(0, _):
                return x
            case Point(a, b) if a < b:
                return x * a
            case Point(a=a):
                return x + a

    return f


def namedtuple_replaced():
    class State(typing.NamedTuple):
        step: int = 0
        best: float = 0.6

    state = [State()]

    def f(x, s):
        state[0] = state[0]._replace(step=state[0].step + 1, best=max(state[0].best, s))
        return x * state[0].best, state[0]

    return f


def weak_reference():
    class Owner:
        pass

    owner = Owner()
    owner.s = 0.0
    ref = weakref.ref(owner)

    def f(x, s):
        ref().s += s
        return x * ref().s

    return f


def weak_keys():
    class Owner:
        pass

    owners, found = [Owner(), Owner()], weakref.WeakKeyDictionary()

    def f(x, s):
        o = owners[s > 0.6]
        found[o] = found.get(o, 0) + 1
        return x * found[o], len(found)

    return f


def cached_property_of_it():
    class Lazy:
        def __init__(self, s):
            self.s = s

        @functools.cached_property
        def scale(self):
            log.append("made")
            return self.s * 2

    def f(x, s):
        lazy = Lazy(s)
        return x * lazy.scale + lazy.scale, sorted(vars(lazy))

    return f


def cached_property_kept():
    class Lazy:
        s = 0.0

        @functools.cached_property
        def scale(self):
            return self.s * 2

    lazy = Lazy()

    def f(x, s):
        lazy.s = s
        if s > 1:
            vars(lazy).pop("scale", None)
        return x * lazy.scale

    return f


def partial_method():
    class Model:
        def scaled(self, x, by, plus=0):
            return x * by + plus

        half = functools.partialmethod(scaled, 0.5)

    model = Model()
    return lambda x, s: model.half(x, plus=s)


def descriptor_with_bounds():
    class Bounded:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, obj, owner=None):
            return getattr(obj, self.name, 0.5)

        def __set__(self, obj, value):
            if not -1e9 < value < 1e9:
                raise ValueError(self.name)
            setattr(obj, self.name, value)

    class Options:
        rate = Bounded()

    options = Options()

    def f(x, s):
        before, options.rate = options.rate, s
        return x * before + options.rate

    return f


def subclass_hook():
    seen = []

    class Base:
        def __init_subclass__(cls, rate=1.0, **options):
            cls.rate = rate
            seen.append(rate)

    def f(x, s):
        made = type("Made", (Base,), {}, rate=s)
        return x * made.rate, len(seen)

    return f


def user_number():
    @functools.total_ordering
    class Ratio:
        def __init__(self, v):
            self.v = v

        def __eq__(self, other):
            return self.v == getattr(other, "v", other)

        def __lt__(self, other):
            return self.v < getattr(other, "v", other)

        def __rmul__(self, other):
            return other * self.v

    return lambda x, s: x * Ratio(s).v if Ratio(s) >= 0.6 else 2 * Ratio(s) + x


def keys_kept_in_objects():
    @dataclasses.dataclass(frozen=True)
    class Key:
        s: float

    def f(x, s):
        memo.update({Key(s): len(memo)})
        return x * len(memo), [k.s for k in memo], sum(k.s for k in memo) + s

    return f
