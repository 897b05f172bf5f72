"""Rows as training code has them: rates, schedules, layers; and what did not fit elsewhere."""

from __future__ import annotations

from .names import *


def learning_rate():
    w = torch.ones(3, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

    def f(x, s):
        for group in optimizer.param_groups:
            group["lr"] = s
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w.detach().clone()

    return f


def adam_by_hand(x, s):
    o.t = getattr(o, "t", 0) + 1
    o.m = getattr(o, "m", 0.0) * 0.9 + 0.1 * s
    return x * (o.m / (1 - 0.9**o.t)) / (math.sqrt(o.t) + 1e-8)


def warmup(x, s):
    return x * (min(s / 3, 1.0) if s < 3 else max(0.0, 1 - (s - 3) / 10))


def cosine_with_restarts(x, s):
    t = s % 3
    return x * (0.1 + 0.45 * (1 + math.cos(math.pi * t / 3)))


def piecewise(x, s):
    rate = 0.1
    for boundary in (1, 2, 4):
        if s >= boundary:
            rate *= 0.5
    return x * rate


def transformer_schedule(x, s):
    step = max(s, 1)
    return x * 512**-0.5 * min(step**-0.5, step * 4000**-1.5)


def table_of_rates(x, s):
    rates = {0: 0.1, 1: 0.05, 2: 0.01}
    return x * rates.get(s, 0.001)


def list_of_rates(x, s):
    rates = [0.1, 0.05, 0.01, 0.005, 0.001]
    return x * rates[min(int(s), len(rates) - 1)] if s == s and abs(s) < 1e9 else x


def every_other_step(x, s):
    if s % 2 == 0:
        log.append("even")
        return x * 2
    return x


def gradient_of_a_number(x, s):
    x = x.detach().requires_grad_()
    (x * s).pow(2).sum().backward()
    return x.grad


def clipping(x, s):
    norm = x.norm()
    return x * (s / (norm + 1e-6)).clamp(max=1.0)


def module_with_eps():
    layer = nn.LayerNorm(3)

    def f(x, s):
        layer.eps = s if s == s and 0 < s < 1 else 1e-5
        return layer(x).detach()

    return f


def dropout_rate():
    layer = nn.Dropout(0.5)
    layer.eval()

    def f(x, s):
        layer.p = s
        return layer(x)

    return f


def made_layer(x, s):
    return nn.LeakyReLU(s)(x), nn.Hardtanh(-1.0, 1.0)(x * s)


def checked_layer(x, s):
    return nn.Dropout(s).eval()(x)


def temperature(x, s):
    return F.softmax(x / max(s, 1e-2), 0), torch.logsumexp(x * s, 0)


def label_of_the_step(x, s):
    name = "warmup" if s < 1 else "train"
    memo[name] = memo.get(name, 0) + 1
    return x * (0.1 if name == "warmup" else 1.0)


def shape_of_number(x, s):
    n = int(abs(s)) % 4 if s == s and abs(s) < 1e9 else 1
    return torch.zeros(n), x[:n], torch.arange(n), x.new_ones((n, 2)).sum()


def quantized(x, s):
    return torch.round(x / s) * s if s else x


def mixed_with_item(x, s):
    return x * s + x.detach().sum().item() * 0 if s is None else x * 2


def nan_checked(x, s):
    if s != s:
        return x * 0
    if s in (math.inf, -math.inf):
        return x * -1
    return x * s


def signs_of_zero(x, s):
    return x * 0 + s, math.copysign(1.0, s), s == 0, str(s), 1 / (s + math.copysign(1e-300, s))


def agrees_at_first(x, s):
    return x * int(s), x * round(s), x * math.floor(s), x * ("%.0f" % s == "1"), x * (s in (2.0, -0.5))


def two_questions(x, s):
    a = s > 0.6
    b = s < 0
    log.append((a, b))
    return x * (2 if a else 3) * (5 if b else 7)


def constant_then_used(x, s):
    n = int(s * 2) if s == s and abs(s) < 1e9 else 0
    return x * s + n, n


def stored_then_asked(x, s):
    memo["s"] = s
    o.s = memo["s"]
    return x * 2 if isinstance(o.s, float) else x, o.s in {0.5}


def wrapped_by_decorator():
    def checked(f):
        @functools.wraps(f)
        def inner(x, s):
            log.append(type(s).__name__)
            return f(x, s)

        return inner

    @checked
    def f(x, s):
        return x * s

    return lambda x, s: f(x, s)


def compared_to_previous_tensor(x, s):
    log.append(x * s)
    return log[-1] - log[0]


def identity_of_parts(x, s):
    parts = [s, s]
    return x, parts[0] is parts[1], parts[0] is s, (s,)[0] is s


def nested_containers(x, s):
    config = {"opt": {"lr": s, "betas": (s, 0.9)}, "list": [s]}
    flat = json.dumps(config, sort_keys=True, default=str)
    return x * config["opt"]["lr"], len(flat), config


def sums_of_squares(x, s):
    return x * (s**2 + 1) / (abs(s) + 1), s**2 + 1


def number_and_text_keys(x, s):
    return x * {"0.5": 1.0, "1": 2.0, "True": 3.0}.get(str(s), 4.0)


def truth_of_containers(x, s):
    return x * 2 if [v for v in [s] if v] else x, bool((s,)), not [s]


def unused(x, s):
    return x * 2


def deleted(x, s):
    del s
    return x * 2


def returned_only(x, s):
    return s


def inner_compiled(x, s):
    f = torch.compile(lambda x, s: x * s, target="reference")
    return f(x, s)


def by_string_method(x, s):
    return x * len(f"{s:.3f}"), f"{s:.3f}".strip("0"), str(s).isdigit()


def bitwise_decisions(x, s):
    try:
        return x * 2 if s & 1 else x
    except TypeError:
        return x * 3


def sorting_tensors_by_it(x, s):
    pairs = sorted([(s, 0), (0.6, 1)], key=lambda p: p[0])
    return x + pairs[0][1]


def loop_over_values(x, s):
    return [x * t for t in (s, s * 2) if t < 1.2]


def min_of_tensor_and_number(x, s):
    return min(x.max().item() if s is None else 5.0, s), x


def any_over_generator(x, s):
    return x * 2 if any(s == t for t in (0.7, 2.0)) else x


def try_int(x, s):
    try:
        n = int(s)
    except (ValueError, OverflowError, TypeError) as e:
        return x, type(e).__name__
    return x + min(n, 100)


def comparison_chain_with_effects(x, s):
    def noted(v):
        log.append(v)
        return v

    return x, noted(0) < noted(s) < noted(1)


def augmented(x, s):
    s += 1
    s *= 2
    s -= 0.5
    return x * s, s


def augmented_int_ops(x, s):
    try:
        s <<= 1
        s |= 1
    except TypeError:
        s = -1
    return x + s if abs(s) < 1e6 else x, s


def floor_of_product(x, s):
    return x + (s * 3) // 1, int(s * 3) if s == s and abs(s) < 1e9 else None


def kinds_after_arithmetic(x, s):
    return [type(v).__name__ for v in (s, s + 1, s * 1.0, s / 1, -s, abs(s), s**2, s // 1, s % 2)], x
