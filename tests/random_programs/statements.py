"""What random programs are made of: expressions and statements with holes, a line each.

The first hole of a line picks a tensor, its main one, by a letter and an optional rank:

    x  floats            X  floats that are exact: small multiples of a power of two, in every order of computing
    a  any tensor        A  any exact tensor          i  whole numbers          b  bools
    x2 of rank 2         x2+ of rank 2 or more

The others depend on it:

    y Y  floats that broadcast with it (exact ones)      s S  of its very shape and type     m  a mask of its shape
    d e  dimensions of it, different ones                at  a valid index along d           n  its extent along d
    index  a list of valid indices along d               places  a tensor of such, as gather takes them
    k  a small whole number      c  a small float        p  a tensor that gradients flow to
    shape  its shape             perm  an order of its dimensions          joined split  shapes with as many elements

`=` begins a line whose result is exact where its operands are.
"""

from __future__ import annotations

EXACT = """
={X} + {Y}
={X} - {Y}
={X} * {Y}
={X} + {c}
={c} - {X}
={X} * {k}
={X} / 2
=-{X}
={X}.abs()
=torch.relu({X})
=torch.maximum({X}, {Y})
=torch.minimum({Y}, {X})
={X}.clamp(-1, 2)
={X}.clamp(min=0)
=torch.where({m}, {X}, {Y})
=torch.where({X} > {c}, {X}, 0.)
=torch.floor({X})
=torch.ceil({X})
=torch.trunc({X})
=torch.round({X})
=torch.sign({X})
={X}.frac()
={X}.square()
={X} ** 2
={X}.masked_fill({m}, {c})
=F.hardtanh({X})
=F.leaky_relu({X}, 0.25)
=torch.lerp({X}, {S}, 0.5)
=torch.addcmul({X}, {S}, {S}, value=0.5)
=({X} > {Y}).float()
={X} % 2
=torch.heaviside({X}, {S})
={X}.detach()
={X}.double()
={X}.float()
={X}.to({X}.dtype)
={X}.type_as({X})
=torch.zeros_like({X})
=torch.ones_like({X}) * {c}
={X}.new_zeros({shape})
=torch.full({shape}, {c}) + {X}
={X}.sum()
{X}.mean()
={X1+}.sum({d})
={X1+}.sum({d}, keepdim=True)
={X2+}.sum(({d}, {e}))
={X1+}.amax({d})
={X1+}.amin({d}, keepdim=True)
={X1+}.max({d}).values
={X1+}.min({d})[0]
={X}.max()
={X1+}.cumsum({d})
={X1+}.cummax({d}).values
={X1+}.sort({d}).values
={X1+}.sort({d}, descending=True)[0]
={X1+}.topk(1, {d}).values
={X1+}.median({d}).values
={X1+}.diff(dim={d})
={X2} @ {X2}.t()
={X2}.t() @ {S}
=torch.einsum('ij,ik->jk', {X2}, {S})
=torch.outer({X1}, {S})
={X1} @ {S}
=torch.dot({X1}, {S})
=torch.trace({X2})
=torch.mv({X2}, {X2}.sum(0))
=torch.bmm({X3}, {X3}.transpose(1, 2))
=torch.linalg.norm({X}.reshape(-1), 1)
=torch.cumprod({X1+}.sign(), {d})
=F.linear({X2}, {S}, None)
=F.mse_loss({X}, {S}, reduction='sum')
=F.l1_loss({X}, {S}, reduction='none')
=torch.count_nonzero({X}).float()
=({X} == {Y}).sum().float()
={X1+}.argmax({d}).float()
={X1+}.argsort({d}, stable=True).float()
(({X} > 0) & ({S} < 1)).float().mean()
=torch.nan_to_num({X})
=torch.searchsorted(torch.tensor([-1., 0., 1.]), {X}.contiguous()).float()
=torch.bucketize({X}, torch.tensor([-1., 0., 1.])).float()
"""

SMOOTH = """
torch.tanh({x})
torch.sigmoid({x})
torch.exp({x}.clamp(-3, 2))
torch.log({x}.abs() + 0.5)
torch.sqrt({x}.abs() + 0.25)
torch.rsqrt({x}.abs() + 1)
{x} / ({y}.abs() + 1)
{x} / 3
1 / ({x}.abs() + 1)
{x} + {y}
{x} - {y}
{x} * {y}
{x} * {c} + {y}
torch.sin({x})
torch.cos({x})
torch.atan({x})
torch.atan2({x}, {y}.abs() + 1)
torch.erf({x})
torch.log1p({x}.abs())
torch.expm1({x}.clamp(max=1))
F.gelu({x})
F.silu({x})
F.softplus({x})
F.elu({x})
F.logsigmoid({x})
F.softsign({x})
F.mish({x})
torch.pow({x}.abs() + 0.5, 1.5)
{x}.pow(3)
{x}.mean()
{x1+}.mean({d})
{x2+}.mean(({d}, {e}), keepdim=True)
{x1+}.softmax({d})
F.log_softmax({x1+}, dim={d})
torch.logsumexp({x1+}, {d})
{x1+}.norm(dim={d}, p=2)
{x}.norm() + 1
{x1+}.var({d}, unbiased=False)
{x1+}.std({d}, unbiased=False) + 1
{x1+}.prod({d})
F.normalize({x1+}, dim={d}, eps=1.)
F.layer_norm({x1+}, {x1+}.shape[-1:])
{x1+}.cumprod({d})
torch.logcumsumexp({x1+}, {d})
torch.mean(torch.stack([{x}, {s}]), 0)
F.mse_loss({x}, {s})
F.smooth_l1_loss({x}, {s})
F.huber_loss({x}, {s})
F.binary_cross_entropy_with_logits({x}, torch.sigmoid({s}))
F.kl_div(F.log_softmax({x1+}, {d}), F.softmax({s}, {d}), reduction='sum')
F.cosine_similarity({x2}, {s}, dim={d}, eps=1.)
F.cross_entropy({x2}, torch.arange({x2}.shape[0]) % {x2}.shape[1])
F.nll_loss(F.log_softmax({x2}, 1), torch.zeros({x2}.shape[0], dtype=torch.long))
{x2} @ {x2}.t()
torch.addmm({x2} @ {x2}.t(), {s}, {s}.t(), beta=0.5)
F.linear({x2}, {s}, {s}.sum(1))
torch.einsum('...i,...i->...', {x1+}, {s})
torch.baddbmm({x3}, {x3}, torch.eye({x3}.shape[2]).expand({x3}.shape[0], -1, -1))
F.scaled_dot_product_attention({x3}, {s}, {s})
F.conv1d({x3}, torch.ones(2, {x3}.shape[1], 1) * 0.5)
F.conv1d({x3}, torch.ones(2, {x3}.shape[1], 3), padding=1)
F.conv2d({x2}[None, None], torch.ones(1, 1, 3, 3) / 9, padding=1)
F.max_pool1d({X3}, 2, ceil_mode=True)
F.avg_pool1d({x3}, 2, padding=1)
F.avg_pool2d({x2}[None, None], 3, stride=1, padding=1)
F.interpolate({x3}, scale_factor=2)
torch.cdist({x2}, {s} + 3)
F.glu(torch.cat([{x1+}, {s}], {d}), {d})
{x} * torch.rand({shape})
{x} + torch.randn({shape}) * 0.1
F.dropout({x}, 0.5)
{x} * torch.bernoulli(torch.full({shape}, 0.5))
{x} * torch.randint(-2, 3, {shape})
{x} + torch.rand_like({x})
sum([{x}, {s}, {s}])
sum(row.sum() * 0.5 for row in {x2})
torch.stack([row * j for j, row in enumerate({x1+})])
torch.stack([t.mean() for t in ({x}, {s})])
(lambda t: t * t.sigmoid())({x})
{x} * scale
scale * {x} + (1 - scale) * {s}
torch.sin({x} * scale)
{x} if scale > 0 else -{x}
{x}[..., :1] * {x} if {x}.dim() else {x}
"""

VIEWS = """
={a2+}.transpose({d}, {e})
={a2}.t()
={a2}.T
={a2+}.mT
={a}.permute({perm})
={a2+}.movedim({d}, {e})
={a1+}[{at0}]
={a1+}[1:]
={a1+}[:-1]
={a1+}[::2]
={a1+}[1::3]
={a1+}[:0]
={a1+}[...]
={a1+}[None]
={a1+}[..., None]
={a2+}[:, {at1}]
={a2+}[:, ::2]
={a2+}[..., 1:]
={a2+}[{at0}, None]
={a2+}[1:, :-1]
={a2+}[-1]
={a3+}[:, None, 1]
={a1+}.narrow({d}, 0, {n} - 1)
={a1+}.select({d}, {at})
={a1+}.unbind({d})[-1]
={a1+}.split(2, {d})[-1]
={a1+}.chunk(2, {d})[0]
={a1+}.tensor_split(2, {d})[1]
={a}.unsqueeze(0)
={a1+}.unsqueeze({d})
={a}.squeeze()
={a1+}.squeeze({d})
={a}.view({joined})
={a}.view(-1)
={a}.view({split})
={a}.reshape({joined})
={a}.reshape(-1)
={a}.reshape({split})
={a1+}.flatten()
={a2+}.flatten({d0})
={a}.ravel()
={a}.expand(2, *{shape})
={a1+}[:1].expand(3, *[-1] * ({rank} - 1))
={a1+}.expand({shape})
=torch.broadcast_to({a}, (2, *{shape}))
={a1+}.unfold({d}, 1, 1)
={a1+}.unfold({d}, {n}, 2)
={a1+}.unfold({d}, 1, 3)
={a1+}.unfold({d}, min(2, {n}), 1)
={a2+}.diagonal()
={a2+}.diagonal(1, {d}, {e})
={a2+}.swapaxes({d}, {e})
={a1+}.unflatten({d}, (1, -1))
={a}.view_as({a})
={a}.contiguous()
={a}.detach()
={a}.data
={a}
={a}.to({a}.dtype)
=torch.atleast_2d({a})
=torch.as_tensor({a})
=torch.asarray({a})
=next(iter({a1+}))
=[r for r in {a1+}][-1]
"""

COPIES = """
={a}.clone()
={a1+}.flip({d})
={a1+}.flip(0)[1:]
={a1+}[:-1] + {a1+}.flip(0)[1:]
={a1+}.roll(1, {d})
={a1+}.roll(-2)
={a2+}.rot90(1, ({d}, {e}))
=torch.cat([{a1+}, {s}], {d})
=torch.cat([{a1+}[:1], {s}.flip(0), {s}[1:]])
=torch.stack([{a}, {s}])
=torch.stack([{a}, {s}], -1)
={a}.repeat(2, *[1] * {rank})
={a1+}.tile(2)
={a1+}.repeat_interleave(2, {d})
={a2+}.tril()
={a2+}.triu(1)
={a1}.diag()
=torch.diag_embed({a1+})
=F.pad({a1+}, (1, 0))
=F.pad({a1+}, (1, 2), value={c})
=F.pad({a1+}, (-1, 1))
=F.pad({a2+}, (0, 1, 2, 0))
=F.pad({X2+}.flip(-1)[..., :-1], (1, 1))
=F.pad({X3}, (1, 1), mode='reflect')
=F.pad({X3}, (1, 1), mode='replicate')
=F.pad({X3}, (1, 1), mode='circular')
=torch.hstack([{a1+}, {s}])
=torch.vstack([{a1+}, {s}])
=torch.cat([t.reshape(-1) for t in ({a}, {s})])
={a1+}[{index0}]
={a1+}[torch.tensor({index0})]
={a2+}[:, {index1}]
={a2+}[{index0}, {at1}]
={a2+}[{at0}, {index1}]
={a2+}[torch.tensor({index0})[:1], torch.tensor({index1})]
={a1+}.index_select({d}, torch.tensor({index}))
={a1+}.gather({d}, {places})
=torch.take_along_dim({a1+}, {places}, {d})
={a1+}.take(torch.tensor([0, -1, 0]))
={a1+}.scatter({d}, {places}, {s})
={X1+}.scatter_add({d}, {places}, {S})
={X1+}.scatter({d}, {places}, {c})
={X1+}.index_add(0, torch.tensor({index0}), {X1+}[{index0}])
={a1+}.index_copy(0, torch.tensor([{at0}]), {a1+}[:1])
={X1+}.index_fill({d}, torch.tensor({index}), {c})
={X1+}.index_put((torch.tensor([{at0}]),), {X1+}[:1], accumulate=True)
=torch.masked_select({X}, {m}).sum()
={X}[{m}].sum()
={X1+}[{X1+} > {c}].mean() * 0
=torch.meshgrid({a1}, {s}, indexing='ij')[0]
=torch.tril_indices({n0x}, {n0x})
=F.one_hot(torch.arange({n0x}), {n0x}).float()
=torch.block_diag({X2}, {S})
=torch.kron({X1}, {S})
=torch.cartesian_prod({X1}, {S})
=torch.eye({n0x})
=torch.arange({n0x}).float()
=torch.linspace(-1, 1, 5)
=torch.triu(torch.ones({n0x}, {n0x}))
=torch.combinations(torch.arange(3.))
=torch.tensor([1., {c}, -2.])
"""

INTEGERS = """
={X}.long()
=({X} * 2).int()
=({X} > {c})
={X} >= {Y}
={X} != 0
={i} + {i}
={i} * {k}
={i} // 2
={i} % 3
={i}.float()
={i} / 2
={i}.sum()
={i}.clamp(0, 2)
={i} > 0
={i}.abs().cumsum(0) if {i}.dim() else {i}
={i} & 3
={i} ^ 1
={i} << 1
={i}.bool()
={i}.double() * 0.5
~{b}
={b} | {b}
={b} & ({b} ^ True)
={b}.float()
={b}.long()
={b}.any()
={b}.all().float()
={b}.sum()
{b}.float().mean()
={X1+}.argmax({d})
={X}.argmax()
={X1+}.sort({d}).indices
={X1+}.topk(1, {d}).indices
={b}.nonzero(as_tuple=False).sum() * 0
={i} * {X}.sum()
={b} * 1.5
=torch.where({b}, 1, 0)
={i}.byte()
"""

WRITES = """
{X}.add_({c})
{X}.mul_({k})
{X}.sub_({Y})
{X}.zero_()
{X}.fill_({c})
{X}.neg_()
{X}.abs_()
{X}.clamp_(-1, 1)
{X}.relu_()
{X}.copy_({S})
{X} += {Y}
{X} *= 0.5
{X}.masked_fill_({m}, {c})
{X}[{m}] = {c}
{X}[{m}] += 1
{X}[{X} > {c}] = 0
{X1+}[{at0}] = {c}
{X1+}[1:] = {c}
{X1+}[1:] = {X1+}[:-1].clone()
{X1+}[1:] = {X1+}[:-1] * {X1+}.flip(0)[1:]
{X1+}[::2] *= 2
{X1+}[{at0}] += {X1+}[0]
{X2+}[:, {at1}] = {X2+}[:, 0].clone()
{X2+}[{at0}, {at1}] = 3
{X2+}[:, 1:].add_(1)
{X2+}.t()[0] = 1 if {X2+}.dim() == 2 else 2
{X2+}[..., -1].mul_(2)
{X1+}[{index0}] = {c}
{X1+}[torch.tensor({index0})] += 1
{X2+}[:, {index1}] = 0
{X1+}.index_fill_({d}, torch.tensor({index}), {c})
{X1+}.index_add_(0, torch.tensor({index0}), {X1+}[{index0}])
{X1+}.index_copy_(0, torch.tensor([{at0}]), {X1+}[:1].clone())
{X1+}.scatter_({d}, {places}, {c})
{X1+}.scatter_add_({d}, {places}, {S})
{X1+}.unfold({d}, 1, 3).add_(1)
{X1+}.view(-1)[::2].mul_(-1)
{X2+}.diagonal().zero_()
{X}.view({joined}).add_(1)
{X}.data.mul_(2)
{X}.detach().add_(1)
{X}.lerp_({S}, 0.5)
{X}.addcmul_({S}, {S}, value=0.5)
{X1+}.unsqueeze(0)[:, :1].sub_(1)
{X}.expand(2, *{shape})[0].add_(1)
{X1+}[:1].expand(2, *[-1] * ({rank} - 1))[0] = 2
{X}.squeeze().add_(1)
{i}.add_(1)
{i} *= 2
{i}.zero_()
{b}.logical_not_()
torch.relu_({X})
torch.add({X}, {S}, out={S})
{x}.tanh_()
{x}.sigmoid_()
{x}.exp_() if {x}.max() is None else {x}.sin_()
{x}.div_(3)
{x}.mul_({y})
{x}.add_({y})
{x}.copy_({s})
{x1+}[0] = {x1+}[-1].clone()
{x1+}[1:] = torch.tanh({x1+}[:-1])
{x}.normal_()
{x}.uniform_(-1, 1)
F.relu({x}, inplace=True)
F.dropout({x}, 0.5, inplace=True)
"""

STATE = """
m.count += 1
m.rate *= 0.5
m.last = {x}
m.last = {x}.detach()
m.kept.append({x})
m.kept.append({x}.detach().clone())
m.kept[0] = {x}.detach()
m.table['k'] = {x}
m.table['k'] = {x}.sum().detach()
m.buffer.mul_(0.5).add_(1)
m.buffer.copy_({x}.detach().mean())
m.buffer = m.buffer + 1
m.buffer += {x}.detach().sum() / 16
m.total = m.total + {x}.detach().mean()
m.weight.data.mul_(0.5)
m.weight.data = m.weight.data * 0.5
m.pair = (m.pair[1], m.pair[0])
m.pair = ({x}.detach(), m.pair[0])
m.kept.pop() if len(m.kept) > 1 else None
m.kept.reverse()
m.names[m.count % 3] = {k}
m.names.append(m.count)
del m.table['k']
m.flag = not m.flag
m.history.append(float(m.rate))
m.log = [*m.log, m.count]
m.weight.grad = None
m.other.requires_grad_(not m.other.requires_grad)
"""

STATE_READS = """
={X} * m.count
m.buffer + {X}
={X} * m.rate
={X} + len(m.kept)
={X} if m.flag else -{X}
={X} * m.names[0]
{X} + m.pair[0]
m.last * 1
m.last + {x}.sum()
m.weight * 2
m.weight * {x}.mean()
(m.weight * m.other).sum() + {x}
m.kept[-1].sum()
m.kept[0]
m.weight
m.other.t()
m.pair[1] * 2
m.table['k'] + 1
m.total * 0.5
m.linear({x}.reshape(-1)[:1].expand(2, 3))
m.net(m.weight)
m.norm(m.weight * {x}.mean())
m.conv({x}.reshape(-1)[:1].expand(1, 1, 4))
"""

AUTOGRAD = """
{L}.backward()
{L}.backward(retain_graph=True)
{L}.backward(); {p}.grad.zero_() if {p}.grad is not None else None
{p}.grad = None
{p}.retain_grad()
{p}.requires_grad_()
{a}.requires_grad_(False)
{p}.register_hook(lambda g: g * 2)
{p}.backward(torch.ones_like({p}))
({L} * 2).backward(inputs=[{p}])
m.opt.zero_grad(); {L}.backward(); m.opt.step()
m.opt.zero_grad(); ({L} + (m.weight ** 2).sum()).backward(); m.opt.step()
m.opt.zero_grad(); (m.weight * m.other).sum().backward(); m.opt.step()
m.opt.zero_grad(); m.net(m.weight).sum().backward(); m.opt.step()
m.opt.zero_grad(); (m.net(m.weight) ** 2).mean().backward(retain_graph=True); m.opt.step()
m.opt.step()
m.opt.zero_grad()
m.opt.zero_grad(set_to_none=False)
torch.nn.utils.clip_grad_norm_([m.weight, m.other], 1.0)
m.weight.grad = torch.ones_like(m.weight)
(m.weight * (m.other > 0).float()).sum().backward(); m.opt.step()
m.opt.param_groups[0]['lr'] *= 0.5
m.net.eval() if m.count % 2 else m.net.train()
"""

GRADIENTS = """
torch.autograd.grad({L}, {p}, allow_unused=True)[0]
torch.autograd.grad({L}, [{p}, m.weight], allow_unused=True)[-1]
torch.autograd.grad({L}, {p}, retain_graph=True)[0]
torch.autograd.grad({L}, {p}, create_graph=True, allow_unused=True)[0]
torch.autograd.grad({L}, {p}, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
torch.autograd.grad({p}, m.weight, torch.ones_like({p}), retain_graph=True, allow_unused=True)[0]
{p}.grad
m.weight.grad
m.other.grad
{x}.requires_grad
{x}.is_leaf
{x}.detach().requires_grad_()
{x}.detach().requires_grad_().t() if {x}.dim() <= 2 else {x}
{x}.clone().detach().requires_grad_(True)
{x}.shape
{x}.numel() * 2
{x}.dtype
{a}.is_contiguous()
{a}.stride()
{a}.storage_offset()
{a}.data_ptr() == {a}.data_ptr()
{a} is {a}
len({a1+})
torch.is_grad_enabled()
{x}.requires_grad and {x}.grad_fn is None
[{a}.shape[0] if {a}.dim() else 1, {a}.dim()]
"""

FAULTS = """
{a}.view(977)
{x} + torch.ones(7, 11, 13)
{x} @ torch.ones(977)
{a}.transpose(0, 9)
{a1+}[99]
{a}.expand(0)
{x}.backward()
{x}.reshape(3, 977)
torch.cat([{a}, torch.ones(2, 3, 4, 5, 6)])
m.weight.add_(1)
m.missing
{x}.no_such_method()
{a}.permute(0, 0, 1, 2)
torch.stack([{a}, torch.ones(977)])
{a1+}.squeeze(7)
{i} + 'x'
undefined
[][3]
{}['k']
1 / 0
assert {a}.dim() > 9, 'few'
raise ValueError('stop')
{a}.t().view(-1)
{X1+}.expand(2, *{shape}).add_(1)
{X1+}[:1].expand(3, *[-1] * ({rank} - 1)).zero_()
{X}[0:1, None, 7] = 1
F.conv2d({x}, {x})
F.cross_entropy({x}, {x}.bool())
torch.autograd.grad({x}.sum(), torch.ones(2, requires_grad=True))
{i}.requires_grad_()
{i}.float().long().mean()
{i}.copy_(torch.ones(977))
m.opt.step(3)
{x}.unfold(0, 99, 1)
torch.zeros(2)[torch.zeros(3, dtype=torch.bool)]
{x}.squeeze_(1, 2, 3)
{i}.add_(0.5)
{b}.add_(1.5)
"""

BLOCKS = """
with torch.no_grad():
with torch.enable_grad():
with torch.set_grad_enabled(False):
for j in range(2):
for j in range(3):
if m.flag:
if m.count % 2 == 0:
if training:
try:
"""


def lines(table: str) -> list[str]:
    """The lines of a table."""
    return [line for line in table.splitlines() if line]


TABLES: dict[str, tuple[int, list[str]]] = {
    "exact": (22, lines(EXACT)),
    "smooth": (18, lines(SMOOTH)),
    "views": (24, lines(VIEWS)),
    "copies": (14, lines(COPIES)),
    "integers": (7, lines(INTEGERS)),
    "writes": (20, lines(WRITES)),
    "state": (5, lines(STATE)),
    "reads": (5, lines(STATE_READS)),
    "autograd": (6, lines(AUTOGRAD)),
    "gradients": (6, lines(GRADIENTS)),
}
"""How often a statement is of a kind, and the kind's lines."""
EXPRESSIONS = ("exact", "smooth", "views", "copies", "integers", "reads", "gradients")
"""The kinds whose lines have a value; the others only do something."""
