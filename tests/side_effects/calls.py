"""Calls that the user's code makes in roundabout ways: callbacks, decorators, generators, contexts, C."""

from __future__ import annotations

from ..questions.names import *


def callbacks(wrap):
    seen = []
    registered = [lambda n: seen.append(("first", n)), functools.partial(seen.append)]

    def f(x):
        for callback in registered:
            callback(x.shape[0])
        return x * len(registered)

    return wrap(f), lambda: seen


def callbacks_by_name(wrap):
    seen = []
    hooks = {"start": [seen.append], "end": [lambda v: seen.append(-v)]}

    def f(x):
        for name in ("start", "end"):
            for hook in hooks[name]:
                hook(1)
        return x

    return wrap(f), lambda: seen


def decorator_that_counts(wrap):
    def counted(f):
        @functools.wraps(f)
        def inner(*args):
            inner.calls += 1
            return f(*args)

        inner.calls = 0
        return inner

    @counted
    def double(x):
        return x * 2

    return wrap(lambda x: double(x) * double.calls), lambda: double.calls


def decorated_from_outside(wrap):
    seen = []

    def logged(f):
        @functools.wraps(f)
        def inner(*args):
            seen.append("before")
            try:
                return f(*args)
            finally:
                seen.append("after")

        return inner

    return wrap(logged(lambda x: x * 2)), lambda: seen


def context_manager_of_a_generator(wrap):
    seen = []

    @contextlib.contextmanager
    def timed(name):
        seen.append(("enter", name))
        try:
            yield 2
        finally:
            seen.append(("exit", name))

    def f(x):
        with timed("a") as n, timed("b"):
            return x * n

    return wrap(f), lambda: seen


def context_manager_of_a_class(wrap):
    class Scope:
        depth = 0

        def __enter__(self):
            Scope.depth += 1
            return Scope.depth

        def __exit__(self, *error):
            seen.append(error[0])
            return True

    seen = []

    def f(x):
        with Scope() as n:
            raise ValueError("inside")
        return x * n

    return wrap(f), lambda: (seen, Scope.depth)


def generator_of_the_user(wrap):
    def schedule():
        for k in itertools.count(1):
            seen.append(k)
            yield 1 / k

    seen, rates = [], schedule()
    return wrap(lambda x: x * next(rates)), lambda: seen


def generator_sent_to(wrap):
    def adding():
        total = 0
        while True:
            total += yield total

    g = adding()
    next(g)
    return wrap(lambda x: x * g.send(x.shape[0])), lambda: g.send(0)


def generator_in_a_for_loop(wrap):
    def values():
        for k in range(99):
            seen.append(k)
            yield k

    seen, g = [], values()

    def f(x):
        for v in g:
            x = x + v
            if v % 3 == 2:
                return x
        return x

    return wrap(f), lambda: seen


def generator_closed(wrap):
    seen = []

    def values():
        try:
            while True:
                yield 1
        finally:
            seen.append("closed")

    def f(x):
        g = values()
        x = x * next(g)
        g.close()
        return x

    return wrap(f), lambda: seen


def iterator_of_the_user(wrap):
    class Rates:
        n = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.n += 1
            return self.n

    rates = Rates()
    return wrap(lambda x: x * next(rates)), lambda: rates.n


def coroutine(wrap):
    seen = []

    async def note():
        seen.append(1)
        return len(seen)

    def f(x):
        c = note()
        try:
            c.send(None)
        except StopIteration as e:
            return x * e.value

    return wrap(f), lambda: seen


def exceptions_with_effects(wrap):
    seen = []

    class Stop(Exception):
        def __init__(self, n):
            seen.append(n)
            super().__init__(n)

    def f(x):
        try:
            raise Stop(len(seen))
        except Stop as e:
            return x * e.args[0]

    return wrap(f), lambda: seen


def raised_on_every_other_call(wrap):
    seen = []
    inner = wrap(lambda x: x * 2)

    def call(x):
        seen.append(1)
        if len(seen) % 2:
            raise ValueError("odd")
        return inner(x)

    return call, lambda: seen


def struct_of_c(wrap):
    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]

    p = Point(0, 0.5)

    def f(x):
        p.x += 1
        p.y *= 2
        return x * p.y

    return wrap(f), lambda: (p.x, p.y)


def callback_of_c(wrap):
    seen = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    note = kind(lambda n: seen.append(n) or n)

    def f(x):
        return x * note(x.shape[0])

    return wrap(f), lambda: seen


def sorted_by_a_callback_of_c(wrap):
    seen = []

    def f(x):
        [3, 1, 2].sort(key=functools.cmp_to_key(lambda a, b: seen.append((a, b)) or a - b))
        return x

    return wrap(f), lambda: seen


def regular_expression_with_callback(wrap):
    seen = []

    def f(x):
        re.sub("a", lambda m: seen.append(m.start()) or "b", "aXa")
        return x

    return wrap(f), lambda: seen


def weak_callback(wrap):
    seen = []

    class C:
        pass

    def f(x):
        c = C()
        weakref.finalize(c, seen.append, "gone")
        del c
        return x

    return wrap(f), lambda: seen


def named_tuple_with_a_list(wrap):
    Log = collections.namedtuple("Log", "items")
    log = Log([])

    def f(x):
        log.items.append(len(log.items))
        return x

    return wrap(f), lambda: log.items


def dataclass_with_effects(wrap):
    seen = []

    @dataclasses.dataclass
    class Options:
        n: int = 1

        def __post_init__(self):
            seen.append(self.n)

    def f(x):
        return x * Options(len(seen)).n

    return wrap(f), lambda: seen


def enum_lookup(wrap):
    seen = []

    class Mode(enum.Enum):
        a = 1

        @classmethod
        def _missing_(cls, value):
            seen.append(value)
            return cls.a

    return wrap(lambda x: x * Mode(7).value), lambda: seen


def default_factory(wrap):
    seen = []
    d = collections.defaultdict(lambda: seen.append(len(seen)) or 2)

    def f(x):
        d.pop("k", None)
        return x * d["k"]

    return wrap(f), lambda: (seen, dict(d))


def memo_in_a_default(wrap):
    def inner(n, memo={}):
        memo[n] = memo.get(n, 0) + 1
        return memo[n]

    return wrap(lambda x: x * inner(x.shape[0])), lambda: inner.__defaults__[0]


def recursive_structure(wrap):
    node = types.SimpleNamespace(n=0)
    node.next = node

    def f(x):
        node.next.next.n += 1
        return x * node.n

    return wrap(f), lambda: node.n


def super_calls(wrap):
    seen = []

    class A:
        def go(self, x):
            seen.append("A")
            return x

    class B(A):
        def go(self, x):
            seen.append("B")
            return super().go(x) * 2

    b = B()
    return wrap(b.go), lambda: seen


def bound_method_compiled(wrap):
    class C:
        n = 0

        def step(self, x):
            self.n += 1
            return x * self.n

    c = C()
    return wrap(c.step), lambda: c.n


def callable_object_compiled(wrap):
    class C:
        n = 0

        def __call__(self, x):
            self.n += 1
            return x * self.n

    c = C()
    return wrap(c), lambda: c.n


def method_compiled_in_its_class(wrap):
    class C:
        def __init__(self):
            self.n = 0

        @wrap
        def step(self, x):
            self.n += 1
            return x * self.n

    c = C()
    return lambda x: c.step(x), lambda: c.n


def coroutines_in_a_list(wrap):
    seen = []

    async def note(k):
        seen.append(k)
        return k

    def f(x):
        total = 0
        for c in [note(k) for k in range(3)]:
            try:
                c.send(None)
            except StopIteration as e:
                total += e.value
        return x * total

    return wrap(f), lambda: seen
