"""Rows in which a number or a tensor meets what the language and its library have for whole programs."""

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


def single_dispatch():
    @functools.singledispatch
    def scaled(s, x):
        return x * 100

    @scaled.register
    def _(s: float, x):
        return x * s

    @scaled.register
    def _(s: int, x):
        return x + s

    @scaled.register
    def _(s: bool, x):
        return -x

    return lambda x, s: scaled(s, x)


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


def packed_bits(x, s):
    (bits,) = struct.unpack("<q", struct.pack("<d", s))
    return x * (bits & 7), bits


def decimal_quantized(x, s):
    d = decimal.Decimal(s).quantize(decimal.Decimal("0.1"), rounding=decimal.ROUND_HALF_EVEN)
    return x * float(d), str(d)


def fraction_limited(x, s):
    f = fractions.Fraction(s).limit_denominator(8)
    return x * f.numerator / f.denominator, f.denominator


def neighbours(x, s):
    return x * (math.nextafter(s, math.inf) - s), math.ulp(s), math.frexp(s)


def statistics_of_it(x, s):
    return x * statistics.fmean([s, 1, 2]), statistics.median([s, 0.6, 1]), statistics.mode([s, 0.5, s])


def bisected(x, s):
    marks = [0.0, 0.6, 1.0]
    bisect.insort(marks, s)
    return x * bisect.bisect_left(marks, 1.0), marks.index(s)


def heap_of_it(x, s):
    heap = [(0.6, "b"), (1.0, "c")]
    heapq.heappush(heap, (s, "a"))
    log.append(heapq.heappop(heap)[1])
    return x * heap[0][0], heapq.nlargest(1, heap)


def merged_and_grouped(x, s):
    ordered = list(heapq.merge([0.1, 1.0], [s]))
    return x * ordered[0], [(k, len(list(g))) for k, g in itertools.groupby([s, 0.5, 0.5, 1])]


def accumulated(x, s):
    *_, last = itertools.accumulate([1.0, s, 2.0], max, initial=0.6)
    return x * last, list(itertools.accumulate([s, s, 1.0]))


def taken_while(x, s):
    return x + sum(1 for _ in itertools.takewhile(lambda v: v < s, itertools.count(0, 0.25)) if _ < 2)


taken_while.sequences = ("agree", "fractions", "rates")


def self_documenting(x, s):
    print(f"{s=}", f"{s = !r:>12}", f"{s + 1=}")
    return x * s


def indexed_by_protocol(x, s):
    return x[operator.index(s) % 3] * x.flip(0)[(0, 1, 2)[s % 3]]


def assigned_in_conditions(x, s):
    if (t := s * 2) > 1.2 and (u := t - 1) < 1:
        return x * u
    return x * t, [v for w in (s, 1) if (v := w + t) > 1.5]


def generator_with_state():
    def averaging():
        total, count, value = 0.0, 0, None
        while True:
            value = yield (total / count if count else 0.0)
            total, count = total + value, count + 1

    def f(x, s):
        g = averaging()
        next(g)
        first = g.send(s)
        return x * g.send(1.0), first

    return f


def generator_kept():
    def halving():
        s = yield 1.0
        while s > 0.01:
            s = yield s / 2
        return "done"

    g = halving()
    next(g)
    return lambda x, s: x * g.send(s)


def exit_stack(x, s):
    with contextlib.ExitStack() as stack:
        if s > 0.6:
            stack.enter_context(torch.no_grad())
            stack.callback(log.append, "large")
        stack.callback(lambda: log.append(s))
        y = x * s
        stack.pop_all() if s < 0 else None
    return y, torch.is_grad_enabled()


def suppressing(x, s):
    with contextlib.suppress(ZeroDivisionError, ValueError):
        x = x * (1 / int(s))
        x = x + math.sqrt(s)
    return x


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


def nonlocal_best():
    best, since = -math.inf, 0

    def f(x, s):
        nonlocal best, since
        if s > best:
            best, since = s, 0
        else:
            since += 1
        return x * since, best

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


def matched_structures(x, s):
    match {"kind": "step", "args": [s, 2, 3]}:
        case {"kind": "step", "args": [0.5 | 1, *rest]}:
            return x * len(rest)
        case {"args": [float(v), _, _]} if v > 1:
            return x + v
        case {"args": [int() as v, *_]}:
            return x - v
    return x


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


def star_unpacked(x, s):
    first, *middle, last = [s, 1, 2, 3][: 2 + (s > 0.6)]
    return x * last, middle, (lambda *a, **k: len(a) + len(k))(*middle, **{"a": s} if s > 1 else {})


def flow_of_exceptions(x, s):
    try:
        log.append("try")
        if s > 1:
            raise LookupError(s)
        y = x * s
    except LookupError as e:
        y = x + e.args[0]
    else:
        log.append("else")
        if s < 0:
            return -x
    finally:
        log.append(("finally", s < 0.6))
    return y


def exception_chain(x, s):
    try:
        try:
            return x * (1 // s)
        except ZeroDivisionError as e:
            raise ValueError(f"bad {s}") from e
    except ValueError as e:
        return x, str(e), type(e.__cause__).__name__


def exception_group(x, s):
    try:
        raise ExceptionGroup("several", [ValueError(s), KeyError(s)] if s > 0.6 else [KeyError(s)])
    except* ValueError as g:
        log.append(len(g.exceptions))
    except* KeyError:
        log.append("key")
    return x


def sorted_by_distance():
    def f(x, s):
        order = sorted([0, 0.4, 1, 2], key=lambda v: (abs(v - s), -v))
        return x * order[0], order

    return f


def compared_by_function(x, s):
    order = sorted([s, 0.6, 1], key=functools.cmp_to_key(lambda a, b: (a > b) - (a < b)))
    return x * order[1], order


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


def deep_copy_of_module():
    layer = nn.Linear(3, 1)
    nn.init.constant_(layer.weight, 0.5)
    nn.init.zeros_(layer.bias)

    def f(x, s):
        other = copy.deepcopy(layer)
        with torch.no_grad():
            other.weight.mul_(s)
        other.rate = s
        return other(x) - layer(x), other.rate > 0.6

    return f


def shallow_copy_of_state():
    state = {"rate": 0.0, "history": []}

    def f(x, s):
        snapshot = copy.copy(state)
        state["rate"] = s
        snapshot["history"].append(s)
        return x * snapshot["rate"], len(state["history"])

    return f


def numpy_interpolation(x, s):
    return x * float(np.interp(s, [0, 0.6, 1], [1, 2, 3])), np.searchsorted([0.1, 0.6], s)


def numpy_table():
    table = np.zeros(4)

    def f(x, s):
        table[int(s > 0.6)] += s
        return x * table.sum()

    return f


def own_random():
    def f(x, s):
        r = random.Random(str(s))
        return x * r.random(), r.choice("abc"), r.sample(range(5), 2)

    return f


def own_random_kept():
    r = random.Random(3)
    return lambda x, s: x * r.uniform(0, s)


def own_numpy_random_kept():
    r = np.random.default_rng(3)
    return lambda x, s: x * float(r.normal()) * s


def reduced(x, s):
    return x * functools.reduce(lambda a, b: a * b if b > 0.6 else a + b, [1.0, s, 2.0], s)


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


def checked_against_hints():
    def rate(s: float, n: int = 1) -> float:
        return s * n

    def f(x, s):
        wanted = typing.get_type_hints(rate)["s"]
        return x * rate(s) if isinstance(s, wanted) else x

    return f


def bound_by_signature():
    def inner(x, s, /, *rest, power=2, **extra):
        return x * s**power

    def f(x, s):
        bound = inspect.signature(inner).bind(x, s, power=1 if s > 0.6 else 2)
        bound.apply_defaults()
        return inner(*bound.args, **bound.kwargs), bound.arguments["power"]

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


def chain_of_options():
    defaults = {"rate": 0.1, "steps": 1}

    def f(x, s):
        options = collections.ChainMap({"rate": s} if s > 0.6 else {}, defaults)
        defaults["steps"] += 1
        return x * options["rate"], options["steps"]

    return f


def counter_of_it():
    seen = collections.Counter()

    def f(x, s):
        seen[s] += 1
        return x * seen[s], seen.most_common(1)

    return f


def ordered_and_moved():
    recent = collections.OrderedDict()

    def f(x, s):
        recent[s] = recent.pop(s, 0) + 1
        while len(recent) > 2:
            recent.popitem(last=False)
        return x * sum(recent.values()), list(recent)

    return f


def ring_buffer():
    window = collections.deque([0.0], maxlen=3)

    def f(x, s):
        window.appendleft(s)
        window.rotate(1)
        return x * sum(window), window[0]

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


def text_of_numbers(x, s):
    found = re.fullmatch(r"(-?\d+)(?:\.(\d+))?", "%g" % s)
    return x * (len(found[2] or "") if found else 7), "{:^9.2e}|{:+08.2f}".format(s, s)


def hexadecimal(x, s):
    return x * float.fromhex(float(s).hex()), float(s).as_integer_ratio()[1].bit_length()


def template_of_it(x, s):
    return x, string.Template("rate=$s").substitute(s=s), "rate=%(s)s %(s)r" % {"s": s}


def context_variable():
    rate = contextvars.ContextVar("rate", default=1.0)

    def inner(x):
        return x * rate.get()

    def f(x, s):
        token = rate.set(s)
        try:
            return inner(x)
        finally:
            rate.reset(token)

    return f


def recursion_by_it():
    def depth(s, n=0):
        return n if s < 0.1 or n > 8 else depth(s / 2, n + 1)

    return lambda x, s: x * depth(s)


def keys_kept_by_item(x, s):
    memo[s] = 1
    memo[s, 2] = s
    return x * len(memo), list(memo), [type(k) is float for k in memo]


def keys_kept_by_method(x, s):
    memo.setdefault(s, 1)
    return x * sum(k * s for k in memo), list(memo), [k == s for k in memo], [x * k for k in memo]


def keys_kept_in_objects():
    @dataclasses.dataclass(frozen=True)
    class Key:
        s: float

    def f(x, s):
        memo.update({Key(s): len(memo)})
        return x * len(memo), [k.s for k in memo], sum(k.s for k in memo) + s

    return f


def counter_updated():
    seen = collections.Counter()

    def f(x, s):
        seen.update([s, s])
        return x * seen[s], list(seen), [k == s for k in seen]

    return f


def steps_with_a_table_of_losses(x, s):
    memo[s] = (x * s).sum()
    best = min(memo, key=abs)
    return x * best, best, list(memo)
