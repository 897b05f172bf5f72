"""Tensors that come to share memory, or cease to, between calls: what is written to one, the others show."""

from __future__ import annotations

from ..questions.names import *


def _between(f, *changes):
    """The calls of a function, with a change before each but the first."""
    rest = iter([None, *changes])

    def call(x):
        change = next(rest, None)
        if change is not None:
            change()
        return f(x)

    return call


def _pair():
    return types.SimpleNamespace(a=torch.zeros(3), b=torch.ones(3))


def _add(o):
    def f(x):
        o.a.add_(x.sum())
        return o.b * 1

    return f


def data_of_another(wrap):
    o = _pair()

    def share():
        o.a.data = o.b.data

    def part():
        o.a.data = torch.zeros(3)

    return _between(wrap(_add(o)), share, None, part), lambda: (o.a, o.b)


def attribute_that_becomes_a_view(wrap):
    o = _pair()
    kept = torch.arange(6.0)

    def share():
        o.a, o.b = kept[:3], kept[1:4]

    return _between(wrap(_add(o)), share), lambda: (o.a, o.b, kept)


def data_assigned_by_compiled_functions(wrap):
    o = _pair()

    def share():
        o.a.data = o.b

    def part():
        o.a.data = torch.zeros(3)

    return _between(wrap(_add(o)), wrap(share), None, wrap(part), wrap(share)), lambda: (o.a, o.b)


def tied_parameters(wrap):
    o = types.SimpleNamespace(a=nn.Linear(3, 3, bias=False), b=nn.Linear(3, 3, bias=False))

    def f(x):
        with torch.no_grad():
            o.a.weight.fill_(x.sum())
        return o.b.weight * 1

    def tie():
        o.a.weight.data = o.b.weight.data

    for layer in (o.a, o.b):
        nn.init.ones_(layer.weight)
    return _between(wrap(f), tie), lambda: (o.a.weight * 1, o.b.weight * 1)


def arrays_over_the_same_bytes(wrap):
    n = np.zeros(6, np.float32)
    o = types.SimpleNamespace(a=torch.from_numpy(n[:4]), b=torch.from_numpy(n[2:]))
    return wrap(_add(o)), lambda: (o.a, o.b, n)


def argument_over_the_bytes_of_state(wrap):
    n = np.zeros(3, np.float32)
    kept, other, b = torch.from_numpy(n), torch.zeros(3), torch.from_numpy(n)
    calls = iter([other, b, other, b, b])

    def f(x, y):
        kept.add_(x.sum())
        return y * 2

    inner = wrap(f)
    return lambda x: inner(x, next(calls)), lambda: (kept, n, other)


def tensor_made_of_an_array(wrap):
    n = np.zeros(3, np.float32)
    kept = torch.from_numpy(n)

    def f(x):
        kept.add_(x.sum())
        return torch.from_numpy(n) * 2 + torch.as_tensor(n)

    return wrap(f), lambda: kept


def written_tensor_made_of_an_array(wrap):
    n = np.zeros(3, np.float32)
    kept = torch.from_numpy(n)

    def f(x):
        torch.from_numpy(n).add_(x.sum())
        return kept * 2

    return wrap(f), lambda: kept


def array_read_after_a_write(wrap):
    n = np.zeros(3, np.float32)
    kept = torch.from_numpy(n)

    def f(x):
        kept.add_(x.sum())
        return x * float(n[0])

    return wrap(f), lambda: kept


def buffer_of_python_over_the_same_bytes(wrap):
    buffer = bytearray(12)
    kept = torch.from_numpy(np.frombuffer(buffer, np.float32))
    view = memoryview(buffer)

    def f(x):
        kept.add_(x.sum())
        return x * (view[3] + buffer[3])

    return wrap(f), lambda: kept


def large_array_that_changes(wrap):
    n = np.zeros(30_000, np.float32)

    def change():
        n[7] += 1

    return _between(wrap(lambda x: x * float(n.sum())), change, change, None, change), lambda: n[7]


def larger_array_that_changes(wrap):
    n = np.zeros(2_000_000, np.float32)

    def change():
        n[7] += 1

    return _between(wrap(lambda x: x * float(n.sum())), change, change, None, change), lambda: n[7]


def _two_gradients():
    p, q = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    p.grad, q.grad = torch.ones(3), torch.ones(3) * 2
    return p, q


def one_gradient_for_two(wrap):
    p, q = _two_gradients()

    def f(x):
        p.grad.add_(x.sum())
        return q.grad * 1

    def share():
        q.grad = p.grad

    def part():
        q.grad = torch.zeros(3)

    return _between(wrap(f), share, None, part), lambda: (p.grad, q.grad)


def one_gradient_for_two_in_backward(wrap):
    p, q = _two_gradients()

    def f(x):
        (p * x.sum()).sum().backward()
        return q.grad * 1

    def share():
        q.grad = p.grad

    def part():
        q.grad = torch.zeros(3)

    return _between(wrap(f), share, None, part), lambda: (p.grad, q.grad)


def gradients_of_arguments(wrap):
    p, q = _two_gradients()

    def f(x, p, q):
        p.grad.add_(x.sum())
        return q.grad * 1

    def share():
        q.grad = p.grad

    def part():
        q.grad = torch.zeros(3)

    inner = wrap(f)
    return _between(lambda x: inner(x, p, q), share, None, part), lambda: (p.grad, q.grad)


def gradient_that_is_an_argument(wrap):
    p, _ = _two_gradients()
    other = torch.zeros(3)
    calls = iter([other, p.grad, p.grad, other, p.grad])

    def f(x, g):
        g.add_(x.sum())
        return p.grad * 1

    inner = wrap(f)
    return lambda x: inner(x, next(calls)), lambda: (p.grad, other)


def gradient_that_is_state(wrap):
    p, _ = _two_gradients()
    o = _pair()

    def f(x):
        o.b.add_(x.sum())
        return p.grad * 1

    def share():
        p.grad = o.b

    def part():
        p.grad = torch.zeros(3)

    return _between(wrap(f), share, None, part), lambda: (p.grad, o.b)


def gradients_that_are_parts(wrap):
    p, q = _two_gradients()
    flat = torch.zeros(6)
    p.grad, q.grad = flat[:3], flat[3:]
    optimizer = torch.optim.SGD([p, q], lr=0.1)

    def f(x):
        (p * x.sum() + q * 2).sum().backward()
        flat.clamp_(max=2.0)
        optimizer.step()
        return x

    return wrap(f), lambda: (p.grad, q.grad, flat, p.detach(), q.detach())


def returned_gradient(wrap):
    p, _ = _two_gradients()

    def f(x):
        p.grad.add_(x.sum())
        return p.grad, p.grad[1:]

    def change():
        p.grad = torch.ones(3)

    inner = wrap(f)

    def call(x):
        whole, part = inner(x)
        part.mul_(2)
        return whole is p.grad, part * 1

    return _between(call, change, None, change), lambda: p.grad


def exchanged_tensor_that_is_an_argument(wrap):
    o = _pair()
    other = torch.zeros(3)
    calls = iter([lambda: other, lambda: o.a, lambda: o.a, lambda: other, lambda: o.a])

    def f(x, b):
        o.a.add_(x.sum())
        y = b * 1
        o.a = o.a + 1
        return y

    inner = wrap(f)
    return lambda x: inner(x, next(calls)()), lambda: (o.a, other)


def _kept_by(keep, replace, p):
    old = []
    return _between(replace, None, lambda: old.append(keep(p())), None, lambda: old.append(keep(p()))), lambda: (
        p(),
        *old,
    )


def array_of_what_is_replaced(wrap):
    p = torch.zeros(3)

    def f(x):
        p.data = p.data + x.sum()
        return x

    return _kept_by(lambda p: p.numpy(), wrap(f), lambda: p)


def alias_of_what_is_replaced(wrap):
    p = torch.zeros(3)
    first = p.detach()

    def f(x):
        p.data = p.data + x.sum()
        return x

    call, look = _kept_by(lambda p: p.detach()[1:], wrap(f), lambda: p)
    return call, lambda: (look(), first)


def replaced_data_of_an_argument(wrap):
    p = torch.zeros(3)

    def f(p, x):
        p.data = p.data + x.sum()
        return x

    inner = wrap(f)
    return _kept_by(lambda p: p.detach(), lambda x: inner(p, x), lambda: p)


def _with_buffer():
    m = nn.Module()
    m.register_buffer("b", torch.zeros(3))

    def f(x):
        m.b = m.b + x.sum()
        return x

    return m, f


def replaced_buffer(wrap):
    m, f = _with_buffer()
    return _kept_by(lambda b: b, wrap(f), lambda: m.b)


def part_of_a_replaced_buffer(wrap):
    m, f = _with_buffer()
    return _kept_by(lambda b: b[1:], wrap(f), lambda: m.b)


def buffer_that_is_state_elsewhere(wrap):
    m, f = _with_buffer()
    o = _pair()

    def change():
        m.b = o.a

    return _between(wrap(lambda x: (f(x), o.a * 1)), change, None, change), lambda: (m.b, o.a)


def entry_that_shares_what_it_is_assigned_to(wrap):
    w, state = torch.ones(3), {"old": torch.zeros(3)}
    kept = []

    def f(x):
        state["old"] = w.data.clone()
        w.add_(x.sum())
        w.data = state["old"]
        return w * 1

    def look():
        kept.append(state["old"])
        w.mul_(2)

    return _between(wrap(f), None, look, None, look), lambda: (w, state, *kept)
