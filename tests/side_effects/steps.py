"""Effects of training steps: parameters, optimizers, modules, hooks, gradients."""

from __future__ import annotations

from ..questions.names import *


def _model():
    torch.manual_seed(0)
    model = nn.Linear(1, 2)
    return model, list(model.parameters())


def sgd(wrap):
    model, parameters = _model()
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)

    def f(x):
        loss = model(x[:, None]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return wrap(f), lambda: parameters


def adam_with_schedule(wrap):
    model, parameters = _model()
    optimizer = optim.Adam(parameters, lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def f(x):
        loss = model(x[:, None]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.detach()

    return wrap(f), lambda: (parameters, optimizer.param_groups[0]["lr"], scheduler.last_epoch)


def losses_kept(wrap):
    model, parameters = _model()
    history, metrics = [], {"loss": [], "n": 0}

    def f(x):
        loss = model(x[:, None]).mean()
        history.append(loss.detach())
        metrics["loss"].append(loss.detach())
        metrics["n"] += x.shape[0]
        return loss.detach()

    return wrap(f), lambda: (history, metrics)


def losses_summed(wrap):
    model, parameters = _model()
    o = types.SimpleNamespace(total=0.0, n=0)

    def f(x):
        loss = model(x[:, None]).mean().detach()
        o.total = o.total + loss
        o.n += 1
        return o.total / o.n

    return wrap(f), lambda: (o.total, o.n)


def moving_average(wrap):
    model, parameters = _model()
    average = [p.detach().clone() for p in parameters]

    def f(x):
        with torch.no_grad():
            for a, p in zip(average, parameters):
                p.add_(x.mean())
                a.mul_(0.9).add_(p, alpha=0.1)
        return x

    return wrap(f), lambda: (average, parameters)


def forward_hook(wrap):
    model, parameters = _model()
    seen = []
    model.register_forward_hook(lambda m, i, y: seen.append(tuple(y.shape)))
    return wrap(lambda x: model(x[:, None]).detach()), lambda: seen


def forward_pre_hook_that_counts(wrap):
    model, parameters = _model()
    model.calls = 0

    def hook(m, args):
        m.calls += 1

    model.register_forward_pre_hook(hook)
    return wrap(lambda x: model(x[:, None]).detach() * model.calls), lambda: model.calls


def tensor_hook(wrap):
    seen = []

    def f(x):
        x = x.detach().requires_grad_()
        y = x * 2
        y.register_hook(lambda g: seen.append(tuple(g.shape)))
        y.sum().backward()
        return x.grad

    return wrap(f), lambda: seen


def buffer_counts(wrap):
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros((), dtype=torch.int64))
            self.calls = 0

        def forward(self, x):
            self.n += 1
            self.calls += 1
            return x * self.n

    m = M()
    return wrap(m), lambda: (m.n, m.calls)


def batch_norm(wrap):
    m = nn.BatchNorm1d(1)
    return wrap(lambda x: m(x[:, None]).detach()), lambda: (m.running_mean, m.num_batches_tracked)


def module_attribute_kept(wrap):
    class M(nn.Module):
        def forward(self, x):
            self.last = x * 2
            self.shape = tuple(x.shape)
            return self.last

    m = M()
    return wrap(m), lambda: (m.last, m.shape)


def gradients_accumulate(wrap):
    model, parameters = _model()

    def f(x):
        model(x[:, None]).sum().backward()
        return x

    return wrap(f), lambda: [p.grad for p in parameters]


def gradients_kept_and_reset(wrap):
    model, parameters = _model()
    o = types.SimpleNamespace(n=0)

    def f(x):
        o.n += 1
        model(x[:, None]).sum().backward()
        if o.n % 2 == 0:
            for p in parameters:
                p.grad = None
        return x

    return wrap(f), lambda: [p.grad for p in parameters]


def clipped_gradients(wrap):
    model, parameters = _model()
    norms = []

    def f(x):
        model(x[:, None]).pow(2).sum().backward()
        norms.append(nn.utils.clip_grad_norm_(parameters, 1.0).detach())
        with torch.no_grad():
            for p in parameters:
                p -= 0.1 * p.grad
                p.grad = None
        return x

    return wrap(f), lambda: (norms, parameters)


def weights_replaced(wrap):
    o = types.SimpleNamespace(w=torch.ones(1))

    def f(x):
        o.w = o.w - 0.1 * x.mean()
        return x * o.w

    return wrap(f), lambda: o.w


def hidden_state(wrap):
    o = types.SimpleNamespace(h=None)

    def f(x):
        h = torch.zeros(()) if o.h is None else o.h
        o.h = torch.tanh(h + x.sum())
        return o.h

    return wrap(f), lambda: o.h


def replay_buffer(wrap):
    buffer = collections.deque(maxlen=3)

    def f(x):
        buffer.append(x.sum())
        return torch.stack(list(buffer)).sum()

    return wrap(f), lambda: list(buffer)


def custom_function(wrap):
    seen = []

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append("forward")
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append("backward")
            return g * 2

    def f(x):
        x = x.detach().requires_grad_()
        Double.apply(x).sum().backward()
        return x.grad

    return wrap(f), lambda: seen


def optimizer_of_the_user(wrap):
    model, parameters = _model()

    class Momentum(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})
            self.steps = 0

        @torch.no_grad()
        def step(self):
            self.steps += 1
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["n"] = state.get("n", 0) + 1
                    state["v"] = state.get("v", 0.0) * 0.5 + p.grad
                    p.sub_(group["lr"] / state["n"] * state["v"])

    optimizer = Momentum(parameters)

    def f(x):
        model(x[:, None]).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        return x

    return wrap(f), lambda: (parameters, optimizer.steps)


def step_with_a_writer(wrap):
    model, parameters = _model()
    optimizer = optim.SGD(parameters, lr=0.1)
    rows = io.StringIO()
    writer = csv.writer(rows)
    o = types.SimpleNamespace(n=0)

    def f(x):
        o.n += 1
        loss = model(x[:, None]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        writer.writerow([o.n, x.shape[0]])
        return loss.detach()

    return wrap(f), lambda: (parameters, rows.getvalue())


def step_with_early_stopping(wrap):
    model, parameters = _model()
    o = types.SimpleNamespace(best=math.inf, bad=0)

    def f(x):
        loss = x.shape[0] * 1.5
        if loss < o.best:
            o.best, o.bad = loss, 0
        else:
            o.bad += 1
        return model(x[:, None]).detach(), o.bad

    return wrap(f), lambda: (o.best, o.bad)


def equilibrium(wrap):
    """A tensor hook that differentiates, as deep equilibrium models do."""
    w = torch.tensor([0.3], requires_grad=True)

    def f(x):
        z = torch.zeros(1)
        with torch.no_grad():
            for _ in range(20):
                z = torch.tanh(w * z + x[:1])
        z0 = z.detach().requires_grad_()
        f0 = torch.tanh(w * z0 + x[:1])
        z = torch.tanh(w * z + x[:1])
        z.register_hook(lambda g: torch.autograd.grad(f0, z0, g, retain_graph=True)[0] + g)
        z.sum().backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            w.grad = None
        return z.detach()

    return wrap(f), lambda: w


def backward_that_writes_to_a_buffer(wrap):
    seen = torch.zeros(1)

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, s):
            ctx.s = s
            return x * 2

        @staticmethod
        def backward(ctx, g):
            ctx.s[0] = g.abs().mean()
            return g * 2, None

    def f(x):
        x = x.detach().requires_grad_()
        (Watched.apply(x, seen) * x.detach()).sum().backward()
        return x.grad

    return wrap(f), lambda: seen


def written_through_data(wrap):
    w = torch.ones(2, requires_grad=True)

    def f(x):
        y = (w * w).sum()
        w.data.add_(1)
        w.data[0] = 0.5
        y.backward()
        g, w.grad = w.grad, None
        return g

    return wrap(f), lambda: w


def gradient_used_up_and_used_again(wrap):
    """A step that uses a gradient up inside leaves it where PyTorch leaves it, or the next reader is told."""
    w = torch.ones(1, requires_grad=True)

    def train(x):
        w.grad = None
        (w * x.sum()).sum().backward()
        with torch.no_grad():
            w.sub_(w.grad * 0.1)

    train, more = wrap(train), wrap(lambda x: (w * 1.0).sum().backward())

    def f(x):
        train(x)
        try:
            more(x)
        except RuntimeError:
            return None, "refused"
        return w.grad, "sum"

    def kept(x):
        found, how = f(x)
        return torch.zeros(1) if how == "refused" or found is None else found - x.sum() - 1

    return kept, lambda: w


def state_in_a_deque(wrap):
    model, parameters = _model()

    class Averaged(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if not state:
                        state["window"] = collections.deque(maxlen=2)
                    state["window"].append(p.grad.clone())
                    p.sub_(group["lr"] * sum(state["window"]) / len(state["window"]))

    optimizer = Averaged(parameters)

    def f(x):
        optimizer.zero_grad()
        model(x[:, None]).pow(2).mean().backward()
        optimizer.step()
        return x

    return wrap(f), lambda: (parameters, [list(s["window"]) for s in optimizer.state.values()])
