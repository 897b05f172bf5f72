"""Rows in which a number or a tensor meets the library and the rarer statements."""

from __future__ import annotations

from .names import *


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


def matched_structures(x, s):
    match {"kind": "step", "args": [s, 2, 3]}:
        case {"kind": "step", "args": [0.5 | 1, *rest]}:
            return x * len(rest)
        case {"args": [float(v), _, _]} if v > 1:
            return x + v
        case {"args": [int() as v, *_]}:
            return x - v
    return x


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
