"""Objects of the user that note what is done to them: attributes, classes, containers, streams."""

from __future__ import annotations

from ..questions.names import *


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


def numbers_behind_code_for_attributes(wrap):
    class C:
        n = 0

        def __getattribute__(self, name):
            seen.append(name)
            return object.__getattribute__(self, name)

        def __setattr__(self, name, value):
            seen.append(f"{name} =")
            object.__setattr__(self, name, value)

    seen, c = [], C()

    def f(x):
        c.n += 1
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
