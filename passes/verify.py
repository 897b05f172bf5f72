"""Verification with the place of the fault: every op's own rules, and that values are defined before they are used."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import DiagnosticException

from ..dialects.linalg_rules import relax
from ..dialects.locations import describe
from .interface import check_marks
from .pass_base import PassError


class VerifyError(DiagnosticException):
    """An op breaks a rule. `location` says where it comes from."""

    def __init__(self, message: str, location: Attribute) -> None:
        line = describe(location)
        super().__init__(f"{line}: {message}" if line else message)
        self.message = message
        self.location = location


def verify(module: ModuleOp) -> None:
    """Raises VerifyError for the first op that breaks its rules or uses what is not defined yet."""
    relax()
    _check(module)
    for region in module.regions:
        _verify_region(region, set())


def _verify_region(region: Region, visible: set[SSAValue]) -> None:
    """One block a region is what all our levels have; several are checked op by op, without dominance."""
    blocks = list(region.blocks)
    for block in blocks:
        added = [*block.args, *(_defined(blocks) if len(blocks) > 1 else ())]
        visible.update(added)
        for op in block.ops:
            for operand in op.operands:
                if operand not in visible:
                    name = f"%{operand.name_hint}" if operand.name_hint else "a value"
                    raise VerifyError(f"{op.name}: {name} is used before it is defined", op.location)
            _check(op)
            for inner in op.regions:
                _verify_region(inner, visible)
            visible.update(op.results)
            added.extend(op.results)
        visible.difference_update(added)


def _defined(blocks: list[Block]) -> Iterator[SSAValue]:
    for block in blocks:
        yield from block.args
        for op in block.ops:
            yield from op.results


def _check(op: Operation) -> None:
    try:
        op.verify(verify_nested_ops=False)
        if isinstance(op, FuncOp):
            check_marks(op)
    except PassError as error:
        raise VerifyError(error.message, error.location) from error
    except DiagnosticException as error:
        raise VerifyError(str(error), op.location) from error
    except (ValueError, TypeError, AssertionError, IndexError, KeyError, AttributeError) as error:
        raise VerifyError(f"{op.name}: {error or 'malformed'}", op.location) from error
