"""The tensors of a call: what a plan stands for, given the call's arguments and the results of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.storage import Storage
from .. import eager
from ..autograd.hooks import retain_grad
from ..dispatch import replay
from ..tensor import Tensor, alias, wrap
from ..writes import adopt
from .backward import spend
from .plans import Alias, DerivedView, Fresh, Given, Gradient, Held, Output, Owner
from .weak import Weak, referent


class Outputs:
    """How plans become tensors."""

    _stands_for: dict[int, Any]
    """Tensors and memory that this copy of a program is for, by the ids of what plans know them by."""

    def _meant(self, token: Any) -> Any:
        """The reference that a token of a plan stands for."""
        return self._stands_for.get(id(token), token)

    def _output(
        self, plan: Output, leaves: Sequence[Any], results: Sequence[Storage], made: dict[Output, Tensor]
    ) -> Any:
        match plan:
            case Given():
                return leaves[plan.leaf]
            case Held():
                return referent(self._meant(plan.value))
            case Gradient():
                return self._given(plan.owner, leaves)._grad
            case _:
                found = made.get(plan)
                if found is None:
                    found = made[plan] = self._make(plan, leaves, results, made)
                return found

    def _make(
        self,
        plan: Fresh | Alias | DerivedView,
        leaves: Sequence[Any],
        results: Sequence[Storage],
        made: dict[Output, Tensor],
    ) -> Tensor:
        match plan:
            case DerivedView():
                return _derived_view(self._output(plan.base, leaves, results, made), plan)
            case Fresh():
                storage = results[plan.result if plan.memory is None else plan.memory]
                if storage.device is not plan.where:
                    storage = eager.moved(wrap(storage, storage.spec), plan.where)
                new = wrap(storage, plan.spec, plan.view)
                if plan.spent is not None:
                    spend(new, plan.spent)
            case Alias():
                new = self._share(plan, leaves)
        if plan.leaf_of_graph:
            new._requires_grad = True
        if isinstance(plan, Alias) and plan.history is not None:
            adopt(new, self._output(plan.history, leaves, results, made))
        return new

    def _share(self, plan: Alias, leaves: Sequence[Any]) -> Tensor:
        """A tensor over memory from outside."""
        if plan.gradient_of is not None:
            gradient: Any = self._given(plan.gradient_of, leaves)._grad
            return wrap(gradient._storage, plan.spec, plan.view)
        if plan.leaf is None:
            return wrap(referent(self._meant(plan.storage)), plan.spec, plan.view)
        tensor = leaves[plan.leaf]
        return wrap(tensor._storage, plan.spec, plan.view) if plan.whole else replay(alias(tensor), None, plan.view)

    def _owned(
        self, owner: Owner, leaves: Sequence[Any], results: Sequence[Storage], made: dict[Output, Tensor]
    ) -> Tensor:
        """The tensor of this call that an owner stands for."""
        if isinstance(owner, (Tensor, Weak, int)):
            return self._given(owner, leaves)
        return self._output(owner, leaves, results, made)

    def _given(self, owner: Tensor | Weak | int, leaves: Sequence[Any]) -> Tensor:
        """The same of a tensor that was there before the call."""
        return leaves[owner] if isinstance(owner, int) else referent(self._meant(owner))

    def _retain(
        self,
        owners: Sequence[Owner],
        leaves: Sequence[Any],
        results: Sequence[Storage],
        made: dict[Output, Tensor],
    ) -> None:
        for owner in owners:
            tensor = self._owned(owner, leaves, results, made)
            if tensor.requires_grad:
                retain_grad(tensor)


def _derived_view(base: Tensor, plan: DerivedView) -> Tensor:
    """A view with a history, of a tensor that may ask for no gradient any longer."""
    asks = base._requires_grad
    base._requires_grad = True
    try:
        return replay(base, plan.origin, plan.view)
    finally:
        base._requires_grad = asks


__all__ = ["Outputs"]
