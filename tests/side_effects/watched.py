"""Objects that notice being looked at: whatever a compiled function looks for, it runs no code of the user that the
function does not run."""

from __future__ import annotations

from ..questions.names import *


def dictionary_subclass_that_counts_reads(wrap):
    class Config(dict):
        def __getitem__(self, key):
            seen.append(("item", key))
            return super().__getitem__(key)

        def get(self, key, default=None):
            seen.append(("get", key))
            return super().get(key, default)

        def __contains__(self, key):
            seen.append(("in", key))
            return super().__contains__(key)

        def __iter__(self):
            seen.append("iter")
            return super().__iter__()

        def keys(self):
            seen.append("keys")
            return super().keys()

        def items(self):
            seen.append("items")
            return super().items()

        def __len__(self):
            seen.append("len")
            return super().__len__()

        def __eq__(self, other):
            seen.append("eq")
            return super().__eq__(other)

    seen, config = [], Config(a=2, b=3)
    return wrap(lambda x: x * config["a"]), lambda: seen


def list_subclass_that_counts_reads(wrap):
    class Items(list):
        def __getitem__(self, key):
            seen.append(key)
            return super().__getitem__(key)

        def __iter__(self):
            seen.append("iter")
            return super().__iter__()

        def __len__(self):
            seen.append("len")
            return super().__len__()

        def __eq__(self, other):
            seen.append("eq")
            return super().__eq__(other)

    seen, items = [], Items([2, 3])
    return wrap(lambda x: x * items[0]), lambda: seen


def dictionary_whose_get_raises(wrap):
    class Strict(dict):
        def get(self, *args):
            raise KeyError("not here")

    config = Strict(a=2)
    return wrap(lambda x: x * config["a"]), lambda: dict(config)


def lazy_module(wrap):
    module = types.ModuleType("lazy")

    def missing(name):
        if name.startswith("__"):
            seen.append(name)
            raise ImportError(f"{name} needs a package that is not there")
        seen.append(name)
        return 2

    seen, module.__getattr__ = [], missing
    return wrap(lambda x: x * module.scale), lambda: seen


def lazy_module_of_a_class(wrap):
    class Lazy(types.ModuleType):
        def __getattr__(self, name):
            seen.append(name)
            if name == "scale":
                return 2
            raise RuntimeError(f"importing {name} failed")

    seen, module = [], Lazy("lazy")
    return wrap(lambda x: x * module.scale), lambda: seen


def proxy(wrap):
    class Proxy:
        def __init__(self, make):
            object.__setattr__(self, "_make", make)

        def __getattr__(self, name):
            seen.append(name)
            return getattr(object.__getattribute__(self, "_make")(), name)

        def __setattr__(self, name, value):
            seen.append(name)
            setattr(object.__getattribute__(self, "_make")(), name, value)

        @property
        def __class__(self):
            seen.append("class")
            return type(object.__getattribute__(self, "_make")())

    seen, target = [], types.SimpleNamespace(n=0)
    p = Proxy(lambda: target)

    def f(x):
        p.n += 1
        return x * p.n

    return wrap(f), lambda: (seen, target.n)


def object_without_truth(wrap):
    class Strict:
        scale = 2

        def __bool__(self):
            raise TypeError("no truth")

        def __eq__(self, other):
            raise TypeError("no equality")

        def __hash__(self):
            raise TypeError("no hash")

        def __repr__(self):
            raise TypeError("no text")

        def __len__(self):
            raise TypeError("no length")

        def __iter__(self):
            raise TypeError("no elements")

    strict = Strict()
    return wrap(lambda x: x * strict.scale), lambda: 0


def object_that_is_only_passed_on(wrap):
    class Strict:
        def __getattribute__(self, name):
            seen.append(name)
            return object.__getattribute__(self, name)

        def __eq__(self, other):
            seen.append("eq")
            return True

    seen, strict = [], Strict()

    def inner(x, o):
        return x * 2

    return wrap(lambda x: inner(x, strict)), lambda: seen


def object_among_the_arguments(wrap):
    class Options:
        def __init__(self):
            self.n = 2

        def __getattr__(self, name):
            seen.append(name)
            raise AttributeError(name)

        def __eq__(self, other):
            seen.append("eq")
            return True

        def __hash__(self):
            seen.append("hash")
            return 1

    seen, options = [], Options()
    inner = wrap(lambda x, o: x * o.n)
    return lambda x: inner(x, options), lambda: seen


def property_that_is_not_asked_for(wrap):
    class Model:
        scale = 2

        @property
        def device(self):
            seen.append("device")
            return "cpu"

        @functools.cached_property
        def table(self):
            seen.append("table")
            return [1]

    seen, model = [], Model()
    return wrap(lambda x: x * model.scale), lambda: (seen, sorted(vars(model)))


def descriptor_with_a_get_of_its_own(wrap):
    class Lazy:
        def __get__(self, instance, owner):
            seen.append(instance is None)
            return 2

    class Model:
        scale = Lazy()
        other = Lazy()

    seen, model = [], Model()
    return wrap(lambda x: x * model.scale * Model.scale), lambda: seen


def mapping_of_the_user(wrap):
    class Config(collections.abc.Mapping):
        def __getitem__(self, key):
            seen.append(key)
            return 2

        def __iter__(self):
            seen.append("iter")
            return iter(["a"])

        def __len__(self):
            seen.append("len")
            return 1

    seen, config = [], Config()
    return wrap(lambda x: x * config["a"]), lambda: seen


def sequence_of_the_user(wrap):
    class Rates(collections.abc.Sequence):
        def __getitem__(self, k):
            seen.append(k)
            return [0.5, 2.0][k]

        def __len__(self):
            seen.append("len")
            return 2

    seen, rates = [], Rates()
    return wrap(lambda x: x * rates[1]), lambda: seen


def annotations_that_cannot_be_evaluated(wrap):
    def inner(x: "Missing" = None) -> "Missing":  # noqa: F821, UP037
        return x * 2

    return wrap(lambda x: inner(x)), lambda: 0


def callable_with_a_signature_of_its_own(wrap):
    class Layer:
        def __call__(self, x):
            return x * 2

        @property
        def __signature__(self):
            seen.append("signature")
            raise ValueError("none")

        @property
        def __wrapped__(self):
            seen.append("wrapped")
            raise AttributeError

    seen, layer = [], Layer()
    return wrap(lambda x: layer(x)), lambda: seen
