"""A line search whose result satisfies the strong Wolfe conditions: the loss falls enough, and its slope flattens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..tensor import Tensor


class Point(NamedTuple):
    """What is known at a distance along the direction: the loss, the gradient, and its slope along the direction."""

    t: float
    loss: float
    gradient: Tensor
    slope: float


Evaluate = Callable[[float], Point]
FALL, FLATTEN, TRIES = 1e-4, 0.9, 25


def strong_wolfe(evaluate: Evaluate, start: Point, t: float, reach: float, tolerance: float) -> tuple[Point, int]:
    """The point found, and how many were looked at. `reach` is the largest element of the direction."""
    before, point = start, evaluate(t)
    tries = 0
    bracket = None
    while tries < TRIES:
        if _too_high(point, start) or (tries > 1 and point.loss >= before.loss):
            bracket = [before, point]
            break
        if abs(point.slope) <= -FLATTEN * start.slope:
            return point, tries + 1
        if point.slope >= 0:
            bracket = [before, point]
            break
        least, most = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(_cubic_minimum(before, point, least, most))
        tries += 1
    if bracket is None:
        bracket = [start, point]
    return _zoom(evaluate, start, bracket, tries, reach, tolerance)


def _zoom(
    evaluate: Evaluate, start: Point, bracket: list[Point], tries: int, reach: float, tolerance: float
) -> tuple[Point, int]:
    """Halves (about) the bracket until a point in it will do."""
    evaluated = tries + 1
    stalled = False
    low = 0 if bracket[0].loss <= bracket[1].loss else 1
    while tries < TRIES and abs(bracket[1].t - bracket[0].t) * reach >= tolerance:
        least, most = sorted(point.t for point in bracket)
        t = _cubic_minimum(bracket[0], bracket[1], least, most)
        margin = 0.1 * (most - least)
        if min(most - t, t - least) < margin:
            if stalled or not least < t < most:
                t = most - margin if abs(t - most) < abs(t - least) else least + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = evaluate(t)
        evaluated, tries = evaluated + 1, tries + 1
        if _too_high(point, start) or point.loss >= bracket[low].loss:
            bracket[1 - low] = point
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        if abs(point.slope) <= -FLATTEN * start.slope:
            return point, evaluated
        if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
    return bracket[low], evaluated


def _too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + FALL * point.t * start.slope


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is least, within bounds."""
    if a.t == b.t:
        return (least + most) / 2
    first, last = (a, b) if a.t <= b.t else (b, a)
    curve = first.slope + last.slope - 3 * (first.loss - last.loss) / (first.t - last.t)
    square = curve * curve - first.slope * last.slope
    if square < 0:
        return (least + most) / 2
    root = math.sqrt(square)
    share = (last.slope + root - curve) / (last.slope - first.slope + 2 * root)
    return min(max(last.t - (last.t - first.t) * share, least), most)
