"""Functions whose names, attributes and sources of numbers change between calls."""

from __future__ import annotations

from ..questions.names import *
from .reads import _with


def module_attribute(wrap):
    m = types.ModuleType("m")
    m.n = 0
    return _with(wrap, lambda x: x * m.n, lambda: setattr(m, "n", m.n + 1))


def module_function_replaced(wrap):
    m = types.ModuleType("m")
    m.f, m.g = (lambda x: x), (lambda x: x * 2)
    return _with(wrap, lambda x: m.f(x), lambda: vars(m).update(f=m.g, g=m.f))


def method_replaced_on_class(wrap):
    class C:
        def f(self, x):
            return x

    c = C()
    functions = itertools.cycle([lambda self, x: x * 2, lambda self, x: x * 3])
    return _with(wrap, lambda x: c.f(x), lambda: setattr(C, "f", next(functions)))


def default_argument_replaced(wrap):
    def inner(x, n=1):
        return x * n

    return _with(wrap, lambda x: inner(x), lambda: setattr(inner, "__defaults__", (inner.__defaults__[0] + 1,)))


def code_replaced(wrap):
    def one(x):
        return x

    def two(x):
        return x * 2

    return _with(wrap, lambda x: one(x), lambda: setattr(one, "__code__", two.__code__))


def base_class_attribute(wrap):
    class A:
        n = 0

    class B(A):
        pass

    b = B()
    return _with(wrap, lambda x: x * b.n, lambda: setattr(A, "n", A.n + 1))


def attribute_that_shadows_the_class(wrap):
    class A:
        n = 5

    a = A()
    return _with(wrap, lambda x: x * a.n, lambda: vars(a).pop("n") if "n" in vars(a) else vars(a).update(n=1))


def class_of_an_object(wrap):
    class A:
        def f(self, x):
            return x

    class B:
        def f(self, x):
            return x * 2

    a = A()
    return _with(wrap, lambda x: a.f(x), lambda: setattr(a, "__class__", B if type(a) is A else A))


def builtin_replaced(wrap):
    scope = {"__builtins__": {"abs": abs, "len": len}, "change": None}
    exec("def f(x): return x * abs(-2)", scope)
    functions = itertools.cycle([lambda v: 5, abs])
    return _with(wrap, scope["f"], lambda: scope["__builtins__"].update(abs=next(functions)))


def global_added_over_a_builtin(wrap):
    scope = {}
    exec("def f(x): return x * abs(-2)", scope)
    return _with(wrap, scope["f"], lambda: scope.pop("abs") if "abs" in scope else scope.update(abs=lambda v: 5))


def arguments_of_the_program(wrap):
    def change():
        sys.argv[0:0] = [] if len(sys.argv) > 3 else ["more"]

    kept = list(sys.argv)
    call, _ = _with(wrap, lambda x: x * (len(sys.argv) - len(kept)), change)

    def restored(x):
        try:
            return call(x)
        finally:
            if len(sys.argv) - len(kept) > 3:
                sys.argv[:] = kept

    return restored, lambda: sys.argv.__setitem__(slice(None), kept)


def decimal_context(wrap):
    decimal.getcontext().prec = 5
    return _with(
        wrap,
        lambda x: x * float(decimal.Decimal(1) / 3),
        lambda: setattr(decimal.getcontext(), "prec", decimal.getcontext().prec + 1),
    )


def default_dtype(wrap):
    kinds = itertools.cycle([torch.float64, torch.float32])

    def call(x):
        torch.set_default_dtype(next(kinds))
        try:
            return inner(x)
        finally:
            torch.set_default_dtype(torch.float32)

    inner = wrap(lambda x: x + torch.ones(1))
    return call, lambda: 0


def grad_mode(wrap):
    w = torch.ones(1, requires_grad=True)
    modes = itertools.cycle([True, False])
    inner = wrap(lambda x: x * 2 if torch.is_grad_enabled() else x * w)

    def call(x):
        with torch.set_grad_enabled(next(modes)):
            return inner(x)

    return call, lambda: 0


def variable_of_the_caller(wrap):
    inner = wrap(lambda x: x * n_of_caller())
    n = 0

    def n_of_caller():
        return n

    def call(x):
        nonlocal n
        n += 1
        return inner(x)

    return call, lambda: n


def tensor_data(wrap):
    t = torch.ones(3)
    return _with(wrap, lambda x: x.sum() * t, lambda: t.add_(1))


def tensor_replaced(wrap):
    o = types.SimpleNamespace(t=torch.ones(3))
    return _with(wrap, lambda x: x.sum() * o.t, lambda: setattr(o, "t", o.t + 1))


def tensor_of_another_shape(wrap):
    o = types.SimpleNamespace(t=torch.ones(1))
    return _with(wrap, lambda x: x.sum() * o.t, lambda: setattr(o, "t", torch.cat([o.t, o.t + 1])))


def tensor_attribute(wrap):
    t = torch.ones(1)
    t.scale = 1
    return _with(wrap, lambda x: x * t.scale, lambda: setattr(t, "scale", t.scale + 1))


def training_flag(wrap):
    layer = nn.Dropout(0.0)
    return _with(wrap, lambda x: x * 2 if layer.training else x, lambda: layer.train(not layer.training))


def module_replaced(wrap):
    model = nn.Sequential(nn.Identity())
    other = itertools.cycle([nn.ReLU(), nn.Tanh()])
    return _with(wrap, lambda x: model(x - 3), lambda: setattr(model, "0", next(other)))


def module_appended(wrap):
    layers = nn.ModuleList([nn.Tanh()])

    def f(x):
        for layer in layers:
            x = layer(x)
        return x

    return _with(wrap, f, lambda: layers.append(nn.Tanh()))


def sqlite_rows(wrap):
    db = sqlite3.connect(":memory:")
    db.execute("create table t (n)")
    return _with(
        wrap,
        lambda x: x * db.execute("select count(*) from t").fetchone()[0],
        lambda: db.execute("insert into t values (1)"),
    )


def socket_bytes(wrap):
    a, b = socket.socketpair()
    n = itertools.count(1)
    return _with(wrap, lambda x: x * a.recv(1)[0], lambda: b.send(bytes([next(n)])))


def clock(wrap):
    seen = []
    inner = wrap(lambda x: x.double() * 0 + time.perf_counter())

    def call(x):
        seen.append(inner(x)[0].item())

    return call, lambda: len(set(seen))


def clock_of_dates(wrap):
    seen = []
    inner = wrap(lambda x: x.double() * 0 + datetime.datetime.now().timestamp())

    def call(x):
        time.sleep(0.001)
        seen.append(inner(x)[0].item())

    return call, lambda: len(set(seen))


def identifiers(wrap):
    seen = []
    inner = wrap(lambda x: x.double() * 0 + uuid.uuid4().int % 2**50)

    def call(x):
        seen.append(inner(x)[0].item())

    return call, lambda: len(set(seen))


def random_bytes(wrap):
    seen = []
    inner = wrap(lambda x: x.double() * 0 + int.from_bytes(os.urandom(5), "big"))

    def call(x):
        seen.append(inner(x)[0].item())

    return call, lambda: len(set(seen))


def system_random(wrap):
    seen = []
    source = random.SystemRandom()
    inner = wrap(lambda x: x.double() * 0 + source.random())

    def call(x):
        seen.append(inner(x)[0].item())

    return call, lambda: len(set(seen))


def numpy_generator(wrap):
    source = np.random.default_rng(0)
    return wrap(lambda x: x * float(source.normal(0, 1))), lambda: 0


def numpy_integers(wrap):
    np.random.seed(0)
    return wrap(lambda x: x * int(np.random.randint(0, 100))), lambda: np.random.randint(0, 100)


def numpy_choice_of_rows(wrap):
    np.random.seed(0)
    return wrap(lambda x: x[np.random.permutation(x.shape[0])]), lambda: np.random.randint(0, 100)
