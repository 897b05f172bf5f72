"""Objects whose code is not Python's, reached in every way there is."""

from __future__ import annotations

from ..questions.names import *


def _over(make, use, observe=lambda a: a):
    """A row of an object, what is done with it, and how it is looked at."""

    def row(wrap):
        a = make()

        def f(x):
            use(a)
            return x * 2

        return wrap(f), lambda: observe(a)

    return row


_PUT = {
    "directly": lambda q: q.put(1),
    "by_map": lambda q: list(map(q.put, [1])),
    "by_partial": lambda q: functools.partial(q.put, 1)(),
    "by_partial_of_partial": lambda q: functools.partial(functools.partial(q.put), 1)(),
    "by_methodcaller": lambda q: operator.methodcaller("put", 1)(q),
    "by_attrgetter": lambda q: operator.attrgetter("put")(q)(1),
    "by_getattr": lambda q: getattr(q, "pu" + "t")(1),
    "by_type": lambda q: type(q).put(q, 1),
    "by_filter": lambda q: list(filter(q.put, [1])),
    "by_sorted": lambda q: sorted([1], key=lambda v: q.put(v) or 0),
    "by_max": lambda q: max([1, 2], key=lambda v: q.put(v) or v),
    "by_starmap": lambda q: list(itertools.starmap(q.put, [(1,)])),
    "by_reduce": lambda q: functools.reduce(lambda a, b: q.put(b), [1], None),
    "by_iter_with_sentinel": lambda q: list(iter(functools.partial(q.put, 1), None)),
    "by_call": lambda q: q.put.__call__(1),
    "by_star": lambda q: q.put(*(1,), **{}),
    "by_dict": lambda q: {"put": q.put}["put"](1),
    "by_lambda": lambda q: (lambda g: g(1))(q.put),
    "by_exec": lambda q: exec("q.put(1)", {"q": q}),
    "by_comprehension": lambda q: {q.put(v) for v in [1]},
    "by_generator": lambda q: sum(q.put(v) is None for v in [1]),
    "by_defaultdict": lambda q: collections.defaultdict(functools.partial(q.put, 1))["k"],
    "by_getattr_hook": lambda q: types.SimpleNamespace(f=q.put).f(1),
    "by_context": lambda q: contextvars.copy_context().run(q.put, 1),
    "by_thread": lambda q: (t := threading.Thread(target=q.put, args=(1,)), t.start(), t.join()),
    "by_timer": lambda q: (t := threading.Timer(0, q.put, (1,)), t.start(), t.join()),
    "by_accumulate": lambda q: list(itertools.accumulate([1, 2], lambda a, b: q.put(b))),
    "by_groupby": lambda q: list(itertools.groupby([1], q.put)),
    "by_takewhile": lambda q: list(itertools.takewhile(q.put, [1])),
    "by_regular_expression": lambda q: re.sub("a", lambda m: q.put(1) or "", "a"),
    "by_property": lambda q: type("P", (), {"p": property(lambda self: q.put(1))})().p,
    "by_class_body": lambda q: type("P", (), {"p": q.put(1)}),
    "by_default": lambda q: (lambda v=q.put(1): v)(),
    "by_frompyfunc": lambda q: np.frompyfunc(q.put, 1, 1)(np.array([1])),
    "by_vectorize": lambda q: np.vectorize(q.put, otypes=[object])([1]),
    "by_apply_along_axis": lambda q: np.apply_along_axis(lambda v: q.put(1) or 0, 0, np.zeros(1)),
    "by_fromiter": lambda q: np.fromiter((q.put(1) or 0 for _ in range(1)), float),
    "by_object_array": lambda q: np.array([types.SimpleNamespace(put=q.put)], dtype=object)[0].put(1),
    "by_json_default": lambda q: json.dumps(object(), default=lambda v: q.put(1)),
    "by_copy_memo": lambda q: copy.copy([q])[0].put(1),
    "by_weakref_finalize": lambda q: weakref.finalize(type("C", (), {})(), q.put, 1),
    "by_exit_stack": lambda q: contextlib.ExitStack().callback(q.put, 1)(1),
    "by_singledispatch": lambda q: functools.singledispatch(q.put)(1),
    "by_lru_cache": lambda q: functools.lru_cache(q.put)(1),
    "by_ctypes": lambda q: ctypes.CFUNCTYPE(None)(lambda: q.put(1))(),
}

for _kind, _make in {"simple_queue": queue.SimpleQueue, "queue": queue.Queue}.items():
    for _how, _use in _PUT.items():
        _row = _over(_make, _use, lambda q: q.qsize())
        _row.__name__ = f"{_kind}_{_how}"
        globals()[_row.__name__] = _row


_ARRAY = {
    "item": lambda a: a.__setitem__(0, a[0] + 1),
    "out": lambda a: np.add(a, 1, out=a),
    "out_by_position": lambda a: np.multiply(a, 2, a),
    "out_by_partial": lambda a: functools.partial(np.add, out=a)(a, 1),
    "out_by_map": lambda a: list(map(functools.partial(np.add, 1, out=a), [a])),
    "out_by_reduce_of_ufunc": lambda a: np.add.reduce(np.stack([a, a + 1]), axis=0, out=a),
    "out_by_method": lambda a: (a + 1).clip(0, 99, out=a),
    "out_by_einsum": lambda a: np.einsum("i->i", a + 1, out=a),
    "operator_iadd": lambda a: operator.iadd(a, 1),
    "operator_setitem": lambda a: operator.setitem(a, 0, a[0] + 1),
    "view": lambda a: a[:1].fill(a[0] + 1),
    "reshaped": lambda a: a.reshape(3, 1).__iadd__(1),
    "transposed": lambda a: a.T.__iadd__(1),
    "by_memoryview": lambda a: memoryview(a).__setitem__(0, a[0] + 1),
    "by_frombuffer": lambda a: np.frombuffer(a.data).__iadd__(1),
    "by_ctypes": lambda a: a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)).__setitem__(0, a[0] + 1),
    "by_memset": lambda a: ctypes.memset(a.ctypes.data, 0, 8) and a.__iadd__(1),
    "by_torch": lambda a: torch.from_numpy(a).add_(1),
    "by_at": lambda a: np.add.at(a, [0, 0], 1),
    "by_flat": lambda a: a.flat.__setitem__(0, a[0] + 1),
    "by_mask": lambda a: a.__setitem__(a >= 0, a + 1),
    "by_nditer": lambda a: [v.__iadd__(1) for v in np.nditer(a, op_flags=["readwrite"])],
    "by_sort": lambda a: (a.__imul__(-1), a.sort()),
    "by_partition": lambda a: (a.__imul__(-1), a.partition(1)),
    "by_byteswap": lambda a: a.byteswap(inplace=True),
    "by_setfield": lambda a: a.setfield(a[0] + 1, np.float64),
    "by_shape": lambda a: setattr(a, "shape", (3, 1) if a.ndim == 1 else (3,)),
    "by_copyto": lambda a: np.copyto(a, a + 1),
    "by_nan_to_num": lambda a: np.nan_to_num(a.__iadd__(1), copy=False),
    "by_random": lambda a: np.random.default_rng(int(a[0])).random(out=a),
    "by_shuffle": lambda a: np.random.default_rng(0).shuffle(a),
    "by_struct": lambda a: struct.pack_into("d", a, 0, a[0] + 1),
    "by_readinto": lambda a: io.BytesIO((a + 1).tobytes()).readinto(a),
    "by_socket": lambda a: (p := socket.socketpair(), p[0].send((a + 1).tobytes()), p[1].recv_into(a)) and None,
}

for _how, _use in _ARRAY.items():
    _row = _over(lambda: np.array([1.0, 2.0, 3.0]), _use)
    _row.__name__ = f"array_{_how}"
    globals()[_row.__name__] = _row
