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

for _name, _make in _ROWS.items():
    _make.__name__ = _name
    globals()[_name] = _make
