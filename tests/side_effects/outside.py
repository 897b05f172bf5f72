"""Arrays, files, iterators, loggers and processes that are written to in a call."""

from __future__ import annotations

from ..questions.names import *


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
