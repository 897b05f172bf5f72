"""Objects whose methods count: who calls them, Python or C, and by what syntax."""

from __future__ import annotations

from ..questions.names import *


class Counts:
    """Counts what is done to it."""

    def __init__(self, value=2.0):
        self.value, self.seen = value, []

    def note(self, what):
        self.seen.append(what)
        return self.value


def _counting(name, result=lambda self, *a: self.value):
    """A class with one special method that counts."""

    def method(self, *args):
        self.note(name)
        return result(self, *args)

    return type(f"With{name}", (Counts,), {name: method})()


def _row(name, use, result=lambda self, *a: self.value):
    def row(wrap):
        c = _counting(name, result)
        return wrap(lambda x: use(x, c)), lambda: len(c.seen)

    return row


def _itself(self, *args):
    return self


_ROWS = {
    "call": _row("__call__", lambda x, c: x * c()),
    "call_by_map": _row("__call__", lambda x, c: x * sum(map(c, [1, 2]))),
    "length": _row("__len__", lambda x, c: x * len(c), lambda self: 3),
    "truth": _row("__bool__", lambda x, c: x * 2 if c else x, lambda self: True),
    "truth_by_not": _row("__bool__", lambda x, c: x * (not c), lambda self: True),
    "truth_by_len": _row("__len__", lambda x, c: x * 2 if c else x, lambda self: 3),
    "truth_by_filter": _row("__bool__", lambda x, c: x * len(list(filter(None, [c]))), lambda self: True),
    "equality": _row("__eq__", lambda x, c: x * (c == 1), lambda self, o: True),
    "equality_by_in": _row("__eq__", lambda x, c: x * (1 in [c]), lambda self, o: True),
    "less": _row("__lt__", lambda x, c: x * (c < 1), lambda self, o: True),
    "less_by_sorted": _row("__lt__", lambda x, c: x * len(sorted([c, c])), lambda self, o: False),
    "hash_by_dict": _row("__hash__", lambda x, c: x * {c: 2.0}[c], lambda self: 1),
    "contains": _row("__contains__", lambda x, c: x * (1 in c), lambda self, o: True),
    "get_item": _row("__getitem__", lambda x, c: x * c[1], lambda self, k: 2.0),
    "iterate_by_get_item": _row("__getitem__", lambda x, c: x * sum(c), lambda self, k: [1, 2][k]),
    "iterate": _row("__iter__", lambda x, c: x * sum(v for v in c), lambda self: iter([1, 2])),
    "iterate_by_star": _row("__iter__", lambda x, c: x * len([*c]), lambda self: iter([1, 2])),
    "iterate_by_unpacking": _row("__iter__", lambda x, c: (lambda a, b: x * a)(*c), lambda self: iter([1, 2])),
    "iterate_by_sum": _row("__iter__", lambda x, c: x * sum(c), lambda self: iter([1, 2])),
    "iterate_by_extend": _row("__iter__", lambda x, c: x * len([0].__iadd__(c)), lambda self: iter([1, 2])),
    "reversed_": _row("__reversed__", lambda x, c: x * next(reversed(c)), lambda self: iter([1, 2])),
    "add": _row("__add__", lambda x, c: x * (c + 1), lambda self, o: 2.0),
    "add_reflected": _row("__radd__", lambda x, c: x * (1 + c), lambda self, o: 2.0),
    "add_by_sum": _row("__radd__", lambda x, c: x * sum([c]), lambda self, o: 2.0),
    "multiply_by_tensor": _row("__rmul__", lambda x, c: x * c, lambda self, o: o * 2.0),
    "matmul": _row("__matmul__", lambda x, c: x * (c @ 1), lambda self, o: 2.0),
    "negate": _row("__neg__", lambda x, c: x * -c),
    "absolute": _row("__abs__", lambda x, c: x * abs(c)),
    "power": _row("__pow__", lambda x, c: x * c**2, lambda self, o: 2.0),
    "as_float": _row("__float__", lambda x, c: x * float(c)),
    "as_float_by_math": _row("__float__", lambda x, c: x * math.sqrt(c)),
    "as_int": _row("__int__", lambda x, c: x * int(c), lambda self: 3),
    "as_index": _row("__index__", lambda x, c: x[c], lambda self: 1),
    "as_index_by_range": _row("__index__", lambda x, c: x * len(range(c)), lambda self: 3),
    "as_text": _row("__str__", lambda x, c: x * len(str(c)), lambda self: "ab"),
    "as_text_by_format": _row("__format__", lambda x, c: x * len(f"{c:abc}"), lambda self, spec: spec),
    "as_repr_in_list": _row("__repr__", lambda x, c: x * len(str([c])), lambda self: "ab"),
    "as_rounded": _row("__round__", lambda x, c: x * round(c), lambda self: 2),
    "as_floor": _row("__floor__", lambda x, c: x * math.floor(c), lambda self: 2),
    "as_array": _row("__array__", lambda x, c: x * float(np.asarray(c)), lambda self, *a: np.array(2.0)),
    "attribute_missing": _row("__getattr__", lambda x, c: x * c.anything, lambda self, name: 2.0),
    "attribute_by_getattr": _row("__getattr__", lambda x, c: x * getattr(c, "anything"), lambda self, name: 2.0),
    "attribute_by_hasattr": _row("__getattr__", lambda x, c: x * hasattr(c, "anything"), lambda self, name: 2.0),
    "directory": _row("__dir__", lambda x, c: x * len(dir(c)), lambda self: ["a"]),
    "size_of": _row("__sizeof__", lambda x, c: x * c.__sizeof__(), lambda self: 2),
    "length_hint": _row("__length_hint__", lambda x, c: x * operator.length_hint(c), lambda self: 2),
    "copied": _row("__copy__", lambda x, c: x * copy.copy(c).value, _itself),
    "deeply_copied": _row("__deepcopy__", lambda x, c: x * copy.deepcopy(c).value, _itself),
    "reduced": _row("__reduce__", lambda x, c: x * len(pickle.dumps(c)) * 0, lambda self: (int, ())),
    "path_of": _row("__fspath__", lambda x, c: x * len(os.fspath(c)), lambda self: "ab"),
}


def set_attribute(wrap):
    class C:
        def __setattr__(self, name, value):
            seen.append(name)
            object.__setattr__(self, name, value)

    seen, c = [], C()

    def f(x):
        c.n = 1
        c.kept = x
        return x * c.n

    return wrap(f), lambda: seen


def delete_attribute(wrap):
    class C:
        def __delattr__(self, name):
            seen.append(name)

    seen, c = [], C()

    def f(x):
        del c.n
        return x * 2

    return wrap(f), lambda: seen


def get_any_attribute(wrap):
    class C:
        n = 2

        def __getattribute__(self, name):
            seen.append(name)
            return object.__getattribute__(self, name)

    seen, c = [], C()
    return wrap(lambda x: x * c.n), lambda: seen


def property_that_counts(wrap):
    class C:
        calls = 0

        @property
        def n(self):
            self.calls += 1
            return 2.0

    c = C()
    return wrap(lambda x: x * c.n), lambda: c.calls


def property_that_counts_on_the_class(wrap):
    class C:
        calls = 0

        @property
        def n(self):
            C.calls += 1
            return C.calls

    c = C()
    return wrap(lambda x: x * c.n), lambda: C.calls


def property_setter(wrap):
    class C:
        def __init__(self):
            self.seen = []

        n = property(lambda self: 2, lambda self, v: self.seen.append(v))

    c = C()

    def f(x):
        c.n = 3
        return x * c.n

    return wrap(f), lambda: c.seen


def descriptor_that_counts(wrap):
    class D:
        def __init__(self):
            self.seen = []

        def __get__(self, instance, owner):
            self.seen.append("get")
            return 2.0

        def __set__(self, instance, value):
            self.seen.append("set")

        def __delete__(self, instance):
            self.seen.append("delete")

    class C:
        n = d = D()

    c = C()

    def f(x):
        c.n = 1
        x = x * c.n
        del c.n
        return x

    return wrap(f), lambda: d.seen


def cached_property_that_counts(wrap):
    seen = []

    class C:
        @functools.cached_property
        def n(self):
            seen.append(1)
            return 2.0

    c = C()
    return wrap(lambda x: x * c.n), lambda: seen


def class_method_that_counts(wrap):
    class C:
        n = 0

        @classmethod
        def more(cls):
            cls.n += 1
            return cls.n

    return wrap(lambda x: x * C.more()), lambda: C.n


def static_method_that_counts(wrap):
    seen = []

    class C:
        @staticmethod
        def more():
            seen.append(1)
            return len(seen)

    return wrap(lambda x: x * C.more()), lambda: seen


def made_in_the_call(wrap):
    class C:
        made = 0

        def __init__(self):
            type(self).made += 1

    def f(x):
        C()
        return x * C.made

    return wrap(f), lambda: C.made


def made_and_dropped(wrap):
    seen = []

    class C:
        def __del__(self):
            seen.append("dropped")

    def f(x):
        C()
        return x * 2

    return wrap(f), lambda: seen


def made_by_new(wrap):
    seen = []

    class C:
        def __new__(cls, *args):
            seen.append(args)
            return object.__new__(cls)

    def f(x):
        list(map(C, [1, 2]))
        return x * 2

    return wrap(f), lambda: seen


def class_made_in_the_call(wrap):
    seen = []

    class Base:
        def __init_subclass__(cls):
            seen.append(cls.__name__)

    def f(x):
        class Inner(Base):
            n = 2

        return x * Inner.n

    return wrap(f), lambda: seen


def metaclass_that_counts(wrap):
    seen = []

    class Meta(type):
        def __call__(cls):
            seen.append("call")
            return super().__call__()

        def __getattr__(cls, name):
            seen.append(name)
            return 2

        def __instancecheck__(cls, instance):
            seen.append("instance")
            return True

        def __len__(cls):
            seen.append("len")
            return 1

    class C(metaclass=Meta):
        pass

    def f(x):
        C()
        return x * C.anything * isinstance(1, C) * len(C)

    return wrap(f), lambda: seen


def class_get_item(wrap):
    seen = []

    class C:
        def __class_getitem__(cls, key):
            seen.append(key)
            return 2

    return wrap(lambda x: x * C[int]), lambda: seen


def in_place_operators(wrap):
    class C:
        def __init__(self):
            self.seen = []

        def __iadd__(self, other):
            self.seen.append(other)
            return self

        def __setitem__(self, key, value):
            self.seen.append((key, value))

        def __delitem__(self, key):
            self.seen.append(("delete", key))

    c = C()

    def f(x):
        nonlocal c
        c += 1
        c[0] = 2
        del c[0]
        return x * 2

    return wrap(f), lambda: c.seen


def list_subclass(wrap):
    class Log(list):
        def append(self, value):
            super().append((len(self), value))

    log = Log()

    def f(x):
        log.append(1)
        return x * len(log)

    return wrap(f), lambda: list(log)


def list_subclass_of_tensors(wrap):
    class Log(list):
        total = 0

        def append(self, value):
            self.total += 1
            super().append(value)

    log = Log()

    def f(x):
        log.append(x.sum())
        return x * 2

    return wrap(f), lambda: (list(log), log.total)


def dict_subclass(wrap):
    class Config(dict):
        def __setitem__(self, key, value):
            seen.append(key)
            super().__setitem__(key, value)

        def __missing__(self, key):
            seen.append(("missing", key))
            return 2

    seen, config = [], Config()

    def f(x):
        config["a"] = 1
        return x * config["b"]

    return wrap(f), lambda: (seen, dict(config))


def dict_with_attributes(wrap):
    class Box(dict):
        __getattr__ = dict.__getitem__

        def __setattr__(self, name, value):
            self[name] = value

    box = Box(n=0)

    def f(x):
        box.n += 1
        return x * box.n

    return wrap(f), lambda: dict(box)


def deque_subclass(wrap):
    class Window(collections.deque):
        def append(self, value):
            super().append(value * 2)

    window = Window(maxlen=2)

    def f(x):
        window.append(len(window))
        return x * sum(window)

    return wrap(f), lambda: list(window)


def meter(wrap):
    class Meter:
        def __init__(self):
            self.sum, self.n = 0.0, 0

        def update(self, value, n=1):
            self.sum += value * n
            self.n += n

        @property
        def mean(self):
            return self.sum / max(self.n, 1)

    m = Meter()

    def f(x):
        m.update(2.5, n=x.shape[0])
        return x * m.mean

    return wrap(f), lambda: (m.sum, m.n)


def progress_bar(wrap):
    class Bar:
        n = 0

        def update(self):
            self.n += 1
            sys.stdout.write(f"\r{self.n}")
            sys.stdout.flush()

    bar = Bar()

    def f(x):
        bar.update()
        return x

    return wrap(f), lambda: bar.n


def stream_of_the_user(wrap):
    class Tee:
        def __init__(self):
            self.parts = []

        def write(self, text):
            self.parts.append(text)

        def flush(self):
            self.parts.append("flush")

    tee = Tee()

    def f(x):
        print("loss", x.shape[0], file=tee, flush=True)
        return x

    return wrap(f), lambda: tee.parts


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


for _name, _make in _ROWS.items():
    _make.__name__ = _name
    globals()[_name] = _make
