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
