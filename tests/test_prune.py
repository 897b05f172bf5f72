"""nn.utils.prune: what is taken away, the names in state_dicts, and training of what is left."""

from __future__ import annotations

import irtool
import pytest
from irtool import nn, optim
from irtool.nn.utils import prune


def layer():
    new = nn.Linear(3, 2, bias=False)
    with irtool.no_grad():
        new.weight.copy_(irtool.tensor([[0.1, -0.5, 2.0], [-0.2, 0.05, 1.0]]))
    return new


def test_smallest_elements_go_step_by_step():
    x = prune.l1_unstructured(layer(), "weight", amount=2)
    assert x.weight_mask.tolist() == [[0, 1, 1], [1, 0, 1]] and prune.is_pruned(nn.Sequential(x))
    assert [*x.state_dict()] == ["weight_orig", "weight_mask"] and [n for n, _ in x.named_parameters()] == [
        "weight_orig"
    ]
    prune.l1_unstructured(x, "weight", amount=0.25)  # of the four that are left
    assert x.weight.count_nonzero() == 3 and x.weight[1, 0] == 0
    prune.remove(x, "weight")
    assert [*x.state_dict()] == ["weight"] and x.weight.count_nonzero() == 3 and not prune.is_pruned(x)
    with pytest.raises(ValueError, match="has to be pruned"):
        prune.remove(x, "weight")


def test_slices_and_several_weights():
    assert prune.ln_structured(layer(), "weight", 1, n=2, dim=1).weight_mask.tolist() == [[0, 1, 1], [0, 1, 1]]
    assert prune.random_structured(layer(), "weight", 1, dim=0).weight_mask.sum() == 3
    assert prune.random_unstructured(layer(), "weight", 0.5).weight_mask.sum() == 3
    a, b = layer(), layer()
    b.weight.data.mul_(3)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=4)
    assert a.weight_mask.sum() == 3 and b.weight_mask.sum() == 5
    assert prune.identity(layer(), "weight").weight_mask.all()
    with pytest.raises(ValueError, match="up to 6"):
        prune.l1_unstructured(layer(), "weight", 7)


@pytest.mark.parametrize("wrap", [lambda f: f, irtool.compile])
def test_training_leaves_out_what_is_gone(wrap):
    x = prune.l1_unstructured(layer(), "weight", amount=2)
    optimizer = optim.SGD(x.parameters(), lr=0.1)

    def step(data):
        loss = x(data).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = irtool.compile(step, target="reference") if wrap is irtool.compile else step
    losses = [step(irtool.ones(1, 3)).item() for _ in range(3)]
    assert losses == pytest.approx([2.89, 1.0404, 0.374544], rel=1e-4)
    assert x.weight[0, 0] == 0 and x.weight_orig[0, 0].item() == pytest.approx(0.1)
