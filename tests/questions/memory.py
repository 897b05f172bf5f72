"""Rows that keep numbers from call to call."""

from __future__ import annotations

from .names import *


def memo_by_number(x, s):
    if s not in memo:
        log.append(s)
        memo[s] = len(memo) + 1.0
    return x * memo[s]


def memo_by_tuple(x, s):
    key = (x.shape, s)
    if key not in memo:
        memo[key] = len(memo)
    return x + memo[key]


def memo_by_text(x, s):
    memo[str(s)] = memo.get(str(s), 0) + 1
    return x + memo[str(s)]


def memo_of_tensors(x, s):
    if s not in memo:
        memo[s] = x * s
    return memo[s] + 1


def memo_setdefault(x, s):
    return x + memo.setdefault(s, len(memo))


def memo_by_lru_cache():
    calls = []

    @functools.lru_cache
    def table(s):
        calls.append(s)
        return [s * k for k in range(3)]

    def f(x, s):
        return x * table(s)[2], len(calls)

    return f


def memo_by_typed_cache():
    @functools.lru_cache(typed=True)
    def kind(s):
        return type(s).__name__

    return lambda x, s: (x, kind(s))


def memo_by_cache_of_tensors():
    @functools.cache
    def table(s):
        return torch.arange(3.0) * s

    return lambda x, s: x + table(s)


def cached_property_of_it():
    class Schedule:
        def __init__(self, s):
            self.s = s

        @functools.cached_property
        def double(self):
            return self.s * 2

    def f(x, s):
        schedule = Schedule(s)
        return x * schedule.double + schedule.double

    return f


def logged(x, s):
    log.append(s)
    return x * s


def logged_many(x, s):
    log.extend([s, s * 2, (s, x)])
    return x * s


def logged_with_loss(x, s):
    log.append({"loss": (x * s).sum(), "lr": s})
    return x


def logged_first_only(x, s):
    if not log:
        log.append(s)
    return x * log[0]


def last_value_kept(x, s):
    before = getattr(o, "before", 0.0)
    o.before = s
    return x * (s - before)


def changed_since(x, s):
    changed = getattr(o, "before", None) != s
    o.before = s
    return x * 2 if changed else x


def running_mean(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.mean = getattr(o, "mean", 0.0) + (s - getattr(o, "mean", 0.0)) / o.n
    return x * o.mean


def running_max(x, s):
    o.best = max(getattr(o, "best", -1.0), s)
    return x * o.best, o.best


def early_stopping(x, s):
    if s > getattr(o, "best", 0.0):
        o.best, o.waits = s, 0
    else:
        o.waits = getattr(o, "waits", 0) + 1
    return x, o.waits >= 2


def history_of_numbers(x, s):
    log.append(s)
    return x * sum(log) / len(log), log[-3:]


def sorted_history(x, s):
    log.append(s)
    log.sort()
    return x * log[0]


def written_to_entries(x, s):
    memo["last"] = s
    memo["count"] = memo.get("count", 0) + 1
    memo["sum"] = memo.get("sum", 0.0) + s
    return x


def aliased_in_two_places(x, s):
    o.a = o.b = s
    memo["a"] = o.a
    return x * o.b, o.a is o.b


def counter_returned(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * s, o.n


def counter_in_text(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.label = f"step {o.n}"
    return x / o.n, o.label


def kind_of_counter(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.rate = getattr(o, "rate", 1.0) * 0.5
    return x if type(o.n) is int and type(o.rate) is float else x * 100


def kind_of_counter_as_isinstance(x, s):
    o.n = getattr(o, "n", 0) + 1
    return (x * o.n, isinstance(o.n, int), isinstance(o.n, float), o.n in {3}, hash(o.n), str(o.n))


def counter_as_key(x, s):
    o.n = getattr(o, "n", 0) + 1
    memo[o.n] = s
    return x * memo[o.n]


def counter_as_index(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x[o.n % 3], x[: o.n % 3]


def counter_modulo(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * 2 if o.n % 2 == 0 else x


def counter_in_schedule(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * min(o.n / 4, 1.0) * 0.5 * (1 + math.cos(math.pi * o.n / 10))


def counter_read_late():
    class Counter:
        n = 0

    counter = Counter()

    def f(x, s):
        counter.n += 1
        y = x * s
        log.append(counter.n)
        return y, counter.n * 2

    return f


def class_counter():
    class Counter:
        n = 0
        total = 0.0

    def f(x, s):
        Counter.n += 1
        Counter.total += s
        return x * Counter.n, Counter.n, Counter.total

    return f


def float_counter(x, s):
    o.t = getattr(o, "t", 0.0) + 0.1
    return x * o.t, o.t > 0.25


def bool_flag(x, s):
    o.flag = not getattr(o, "flag", False)
    return x if o.flag else x * 2, o.flag


def swapped(x, s):
    o.a, o.b = getattr(o, "b", 1.0), s
    return x * o.a + o.b
