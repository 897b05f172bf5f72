"""Functions that read what changes outside between calls."""

from __future__ import annotations

from ..questions.names import *


def _with(wrap, f, change):
    """Calls of `f`, something being changed before each."""
    inner = wrap(f)

    def call(x):
        change()
        return inner(x)

    return call, lambda: 0


def environment(wrap):
    os.environ["IRTOOL_TEST_R"] = "0"
    return _with(
        wrap,
        lambda x: x * float(os.environ["IRTOOL_TEST_R"]),
        lambda: os.environ.update(IRTOOL_TEST_R=str(float(os.environ["IRTOOL_TEST_R"]) + 1)),
    )


def getenv(wrap):
    os.environ["IRTOOL_TEST_R"] = "0"
    return _with(
        wrap,
        lambda x: x * float(os.getenv("IRTOOL_TEST_R", "7")),
        lambda: os.environ.update(IRTOOL_TEST_R=str(float(os.environ["IRTOOL_TEST_R"]) + 1)),
    )


def file_text(wrap):
    path = Path(tempfile.mkdtemp()) / "f"
    path.write_text("0")
    return _with(wrap, lambda x: x * float(path.read_text()), lambda: path.write_text(str(float(path.read_text()) + 1)))


def file_exists(wrap):
    path = Path(tempfile.mkdtemp()) / "f"
    return _with(
        wrap, lambda x: x * 2 if path.exists() else x, lambda: path.unlink() if path.exists() else path.touch()
    )


def os_path_exists(wrap):
    path = Path(tempfile.mkdtemp()) / "f"
    return _with(
        wrap, lambda x: x * 2 if os.path.exists(path) else x, lambda: path.unlink() if path.exists() else path.touch()
    )


def directory_listing(wrap):
    folder = tempfile.mkdtemp()
    return _with(wrap, lambda x: x * len(os.listdir(folder)), lambda: tempfile.mkstemp(dir=folder))


def open_and_loop(wrap):
    path = Path(tempfile.mkdtemp()) / "f"
    path.write_text("1\n")

    def f(x):
        with open(path) as lines:
            for line in lines:
                x = x + float(line)
        return x

    return _with(wrap, f, lambda: path.write_text(path.read_text() + "2\n"))


def lines_of_an_open_file(wrap):
    path = Path(tempfile.mkdtemp()) / "f"
    path.write_text("\n".join(map(str, range(40))))
    lines = open(path)

    def f(x):
        for line in lines:
            x = x + float(line)
            if float(line) % 3 == 2:
                break
        return x

    return wrap(f), lambda: 0


def numpy_array(wrap):
    a = np.ones(2)
    return _with(wrap, lambda x: x * a[0], lambda: a.__iadd__(1))


def numpy_array_whole(wrap):
    a = np.ones(1)
    return _with(wrap, lambda x: x * torch.from_numpy(a), lambda: a.__iadd__(1))


def numpy_array_sum(wrap):
    a = np.ones(2)
    return _with(wrap, lambda x: x * float(a.sum()), lambda: a.__iadd__(1))


def numpy_array_as_tensor(wrap):
    a = np.ones(1)
    return _with(wrap, lambda x: x * torch.tensor(a), lambda: a.__iadd__(1))


def numpy_array_in_operator(wrap):
    a = np.ones(1)
    return _with(wrap, lambda x: x * torch.tensor((a * 2).tolist()), lambda: a.__iadd__(1))


def array_item(wrap):
    a = array.array("d", [1.0])
    return _with(wrap, lambda x: x * a[0], lambda: a.__setitem__(0, a[0] + 1))


def bytes_item(wrap):
    a = bytearray([1])
    return _with(wrap, lambda x: x * a[0], lambda: a.__setitem__(0, a[0] + 1))


def memory_view(wrap):
    a = bytearray([1])
    view = memoryview(a)
    return _with(wrap, lambda x: x * view[0], lambda: a.__setitem__(0, a[0] + 1))


def ctypes_value(wrap):
    a = ctypes.c_double(1.0)
    return _with(wrap, lambda x: x * a.value, lambda: setattr(a, "value", a.value + 1))


def event(wrap):
    e = threading.Event()
    return _with(wrap, lambda x: x * 2 if e.is_set() else x, lambda: e.clear() if e.is_set() else e.set())


def event_attribute(wrap):
    e = threading.Event()
    return _with(wrap, lambda x: x * 2 if e._flag else x, lambda: e.clear() if e.is_set() else e.set())


def context_variable(wrap):
    v = contextvars.ContextVar("v", default=0)
    return _with(wrap, lambda x: x * v.get(), lambda: v.set(v.get() + 1))


def thread_local(wrap):
    v = threading.local()
    v.n = 0
    return _with(wrap, lambda x: x * v.n, lambda: setattr(v, "n", v.n + 1))


def queue_size(wrap):
    q = queue.SimpleQueue()
    return _with(wrap, lambda x: x * q.qsize(), lambda: q.put(1))


def queue_contents(wrap):
    q = queue.Queue()
    return _with(wrap, lambda x: x * q.get_nowait(), lambda: q.put(q.unfinished_tasks + 1))


def weak_reference(wrap):
    kept = [{1}]
    r = [weakref.ref(kept[0])]

    def change():
        if r[0]() is None:
            kept.append({1})
            r[0] = weakref.ref(kept[0])
        else:
            kept.clear()

    return _with(wrap, lambda x: x * 2 if r[0]() is None else x, change)


def length_of_a_list(wrap):
    a = []
    return _with(wrap, lambda x: x * len(a), lambda: a.append(1))


def truth_of_a_list(wrap):
    a = []
    return _with(wrap, lambda x: x if a else x * 2, lambda: a.append(1) if len(a) < 2 else a.clear())


def sum_of_a_list(wrap):
    a = [1.0]
    return _with(wrap, lambda x: x * sum(a), lambda: a.append(2.0))


def last_of_a_list(wrap):
    a = [1.0]
    return _with(wrap, lambda x: x * a[-1], lambda: a.append(a[-1] + 1))


def members_of_a_set(wrap):
    a = set()
    return _with(wrap, lambda x: x * 2 if 1 in a else x, lambda: a.remove(1) if a else a.add(1))


def length_of_a_set(wrap):
    a = set()
    return _with(wrap, lambda x: x * len(a), lambda: a.add(len(a)))


def keys_of_a_dictionary(wrap):
    a = {}
    return _with(wrap, lambda x: x * 2 if "k" in a else x, lambda: a.pop("k") if a else a.update(k=1))


def values_of_a_dictionary(wrap):
    a = {"k": 1}
    return _with(wrap, lambda x: x * sum(a.values()), lambda: a.update({str(len(a)): 2}))


def order_of_a_dictionary(wrap):
    a = {"p": 1.0, "q": 2.0}
    return _with(wrap, lambda x: x * next(iter(a.values())), lambda: a.update({(k := next(iter(a))): a.pop(k)}))


def counter_of_words(wrap):
    a = collections.Counter()
    return _with(wrap, lambda x: x * a["k"], lambda: a.update(["k"]))


def deque_ends(wrap):
    a = collections.deque([1])
    return _with(wrap, lambda x: x * a[0] + a[-1], lambda: a.appendleft(len(a)))


def chain_map(wrap):
    first, second = {}, {"k": 2}
    chained = collections.ChainMap(first, second)
    return _with(wrap, lambda x: x * chained["k"], lambda: first.pop("k") if first else first.update(k=3))


def mapping_proxy(wrap):
    d = {"k": 1}
    proxy = types.MappingProxyType(d)
    return _with(wrap, lambda x: x * proxy["k"], lambda: d.update(k=d["k"] + 1))


def view_of_a_dictionary(wrap):
    d = {"k": 1}
    values = d.values()
    return _with(wrap, lambda x: x * sum(values), lambda: d.update({str(len(d)): 1}))
