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


def augmented_assignment(wrap):
    a = b = np.zeros(2)

    def f(x):
        nonlocal a
        a += 1
        a *= 2
        return x * 2

    return wrap(f), lambda: b


def augmented_assignment_of_attribute(wrap):
    o = types.SimpleNamespace(a=np.zeros(2))
    kept = o.a

    def f(x):
        o.a += 1
        return x * float(o.a[0])

    return wrap(f), lambda: kept


def augmented_assignment_of_item(wrap):
    d = {"a": np.zeros(2)}
    kept = d["a"]

    def f(x):
        d["a"] += 1
        d["a"][0] -= 0.5
        return x

    return wrap(f), lambda: kept


def array_argument_in_an_object(wrap):
    o = types.SimpleNamespace(history=np.zeros(8), n=0)

    def f(x):
        o.history[o.n] = 1.5
        o.n += 1
        return x * o.n

    return wrap(f), lambda: (o.history, o.n)


def running_statistics_in_numpy(wrap):
    mean = np.zeros(1)

    def f(x):
        mean[:] = mean * 0.9 + 0.1
        return x * torch.tensor(mean)

    return wrap(f), lambda: mean


def confusion_matrix(wrap):
    matrix = np.zeros((2, 2), dtype=np.int64)

    def f(x):
        matrix[0, 1] += x.shape[0]
        return x

    return wrap(f), lambda: matrix


def mapped_file(wrap):
    m = mmap.mmap(-1, 8)

    def f(x):
        m[0] = m[0] + 1
        m.seek(4)
        m.write(b"a")
        return x * m[0]

    return wrap(f), lambda: m[:]


def bound_c_method_kept(wrap):
    class Holder:
        put = None

    h, q = Holder(), queue.SimpleQueue()
    h.put = q.put

    def f(x):
        h.put(1)
        return x

    return wrap(f), lambda: q.qsize()


def c_function_as_class_attribute(wrap):
    seen = []

    class C:
        note = seen.append

    def f(x):
        C.note(1)
        return x

    return wrap(f), lambda: seen


def c_function_as_method(wrap):
    class C(list):
        push = list.append

    c = C()

    def f(x):
        c.push(1)
        return x

    return wrap(f), lambda: list(c)


def slot_wrapper(wrap):
    d = {}

    def f(x):
        dict.__setitem__(d, len(d), 1)
        return x

    return wrap(f), lambda: d


def method_wrapper(wrap):
    a = [0]
    put = a.__setitem__

    def f(x):
        put(0, a[0] + 1)
        return x

    return wrap(f), lambda: a


def iterator_of_a_file_by_zip(wrap):
    lines = io.StringIO("\n".join(map(str, range(40))))

    def f(x):
        for _, line in zip(range(2), lines):
            x = x + float(line)
        return x

    return wrap(f), lambda: lines.readline()


def iterator_by_unpacking(wrap):
    numbers = iter(range(99))

    def f(x):
        a, b = next(numbers), next(numbers)
        return x * a + b

    return wrap(f), lambda: next(numbers)


def iterator_by_star(wrap):
    numbers = iter(range(8))

    def f(x):
        return x + len([*numbers])

    return wrap(f), lambda: list(numbers)


def iterator_by_any(wrap):
    numbers = iter(range(99))

    def f(x):
        return x * any(n % 3 == 2 for n in numbers)

    return wrap(f), lambda: next(numbers)


def iterator_by_dict_zip(wrap):
    numbers = iter(range(99))

    def f(x):
        return x * dict(zip("ab", numbers))["b"]

    return wrap(f), lambda: next(numbers)


def iterator_by_numpy(wrap):
    numbers = iter(range(99))

    def f(x):
        return x * float(np.fromiter(numbers, float, count=2).sum())

    return wrap(f), lambda: next(numbers)


def iterator_by_join(wrap):
    words = iter(list("abcdefg"))

    def f(x):
        return x * len("".join(itertools.islice(words, 1)))

    return wrap(f), lambda: next(words)


def data_loader(wrap):
    loader = iter(torch.utils.data.DataLoader(torch.arange(99.0), batch_size=3))
    return wrap(lambda x: x.sum() * next(loader)), lambda: next(loader)


def random_by_numpy_distribution(wrap):
    rng = np.random.default_rng(0)
    draw = functools.partial(rng.normal, 0.0, 1.0)
    return wrap(lambda x: x * draw()), lambda: rng.random()


def random_by_map(wrap):
    rng = random.Random(0)
    return wrap(lambda x: x * sum(map(rng.uniform, [0.0], [1.0]))), lambda: rng.random()


def random_by_sample(wrap):
    random.seed(0)
    return wrap(lambda x: x * sum(random.sample(range(10), 3))), lambda: random.random()


def archive(wrap):
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()

    def f(x):
        with zipfile.ZipFile(packed, "a") as z:
            z.writestr(str(len(z.namelist())), b"1")
        return x

    return wrap(f), lambda: packed.getvalue().count(b"PK")


def subprocess_run(wrap):
    path = Path(tempfile.mkdtemp()) / "f"

    def f(x):
        subprocess.run(["sh", "-c", f"echo 1 >> {path}"], check=True)
        return x

    return wrap(f), lambda: path.read_text()


def os_system(wrap):
    path = Path(tempfile.mkdtemp()) / "f"

    def f(x):
        os.system(f"echo 1 >> {path}")
        return x

    return wrap(f), lambda: path.read_text()


def logging_with_handlers(wrap):
    stream = io.StringIO()
    logger = logging.Logger("of the row")
    logger.addHandler(logging.StreamHandler(stream))

    def f(x):
        logger.info("size %d", x.shape[0])
        logger.warning("kept")
        return x

    return wrap(f), lambda: stream.getvalue()


def logging_of_a_tensor(wrap):
    stream = io.StringIO()
    logger = logging.Logger("of the row")
    logger.addHandler(logging.StreamHandler(stream))

    def f(x):
        logger.info("mean %s", x.mean())
        return x

    return wrap(f), lambda: stream.getvalue()


def tensors_printed_to_a_file(wrap):
    stream = io.StringIO()

    def f(x):
        print("mean", x.mean(), file=stream)
        return x

    return wrap(f), lambda: stream.getvalue()


def written_by_writer(wrap):
    """As TensorBoard's writers do."""

    class Writer:
        def __init__(self):
            self.file, self.n = io.StringIO(), 0

        def add_scalar(self, name, value):
            self.file.write(f"{name} {value} {self.n}\n")
            self.n += 1

    writer = Writer()

    def f(x):
        writer.add_scalar("lr", 0.1)
        return x

    return wrap(f), lambda: writer.file.getvalue()


def profiler_inside(wrap):
    seen = []

    def f(x):
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, arg: seen.append(event) if event == "call" else None)
        try:
            (lambda: 0)()
        finally:
            sys.setprofile(before)
        return x

    return wrap(f), lambda: len(seen) > 0


def signal_raised(wrap):
    import signal

    seen = []

    def f(x):
        before = signal.signal(signal.SIGUSR1, lambda *a: seen.append(1))
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, before)
        return x

    return wrap(f), lambda: seen


def garbage_collected(wrap):
    seen = []

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            seen.append(1)

    def f(x):
        Cycle()
        gc.collect()
        return x

    return wrap(f), lambda: seen
