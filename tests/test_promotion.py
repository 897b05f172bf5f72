"""Element types of results."""

from __future__ import annotations

import irtool
import pytest
from irtool import bool as i1
from irtool import float32 as f32
from irtool import float64 as f64
from irtool import int32 as i32
from irtool import int64 as i64
from irtool import uint8 as u8
from irtool.dialects.types import DTYPES

TYPES = (i1, u8, i32, i64, f32, f64)
LATTICE = {
    i1: (i1, u8, i32, i64, f32, f64),
    u8: (u8, u8, i32, i64, f32, f64),
    i32: (i32, i32, i32, i64, f32, f64),
    i64: (i64, i64, i64, i64, f32, f64),
    f32: (f32, f32, f32, f32, f32, f64),
    f64: (f64, f64, f64, f64, f64, f64),
}


def test_all_types_are_covered() -> None:
    assert set(TYPES) == set(DTYPES)


@pytest.mark.parametrize("first", TYPES, ids=repr)
def test_two_tensors(first: irtool.dtype) -> None:
    for second, expected in zip(TYPES, LATTICE[first]):
        x, y = irtool.ones(2, dtype=first), irtool.ones(2, dtype=second)
        assert irtool.promote_types(first, second) is expected
        assert (x * y).dtype is expected
        assert (x + y).dtype is expected
        # Equal ranks: two 0-d tensors promote as two tensors do.
        assert (x[0] * y[0]).dtype is expected


@pytest.mark.parametrize("dtype", TYPES, ids=repr)
def test_lower_ranks_count_by_category_only(dtype: irtool.dtype) -> None:
    x = irtool.ones(2, dtype=dtype)
    wide_float, wide_int = irtool.tensor(1.0, dtype=f64), irtool.tensor(1, dtype=i64)
    floating, integral = dtype.kind == "float", dtype.kind != "bool"
    assert (x * wide_float).dtype is (dtype if floating else f64)
    assert (x * wide_int).dtype is (dtype if integral else i64)
    assert (x * 1.5).dtype is (dtype if floating else f32)
    assert (1.5 * x).dtype is (dtype if floating else f32)
    assert (x * 2).dtype is (dtype if integral else i64)
    assert (x * True).dtype is dtype
    # A number counts less than a 0-d tensor.
    assert (wide_int * 2).dtype is i64
    assert (irtool.tensor(1, dtype=i32) * 2).dtype is i32
    assert (irtool.tensor(1, dtype=i32) * 2.5).dtype is f32


def test_functions_of_reals_make_floats_of_integers() -> None:
    x = irtool.tensor([1, 2])
    for function in (irtool.exp, irtool.sqrt, irtool.sin, irtool.sigmoid, irtool.log):
        assert function(x).dtype is f32
        assert function(x.double()).dtype is f64
    for function in (irtool.abs, irtool.neg, irtool.sign, irtool.floor, irtool.square, irtool.relu):
        assert function(x).dtype is i64


def test_division() -> None:
    x = irtool.tensor([7, -7])
    assert (x / 2).tolist() == [3.5, -3.5]
    assert (x // 2).tolist() == [3, -4]
    assert (x % 3).tolist() == [1, 2]
    assert irtool.div(x, 2, rounding_mode="trunc").tolist() == [3, -3]
    assert irtool.div(x, 2, rounding_mode="trunc").dtype is i64
    assert irtool.fmod(x, 3).tolist() == [1, -1]


def test_comparisons_promote_and_give_bools() -> None:
    x = irtool.tensor([1, 2])
    assert (x == irtool.tensor([1.0, 2.5])).tolist() == [True, False]
    assert (x < 1.5).tolist() == [True, False]
    assert (x >= 2).dtype is i1


def test_sums_of_small_integers_are_wide() -> None:
    x = irtool.tensor([200, 100], dtype=u8)
    assert (x + x).tolist() == [144, 200]
    assert x.sum().item() == 300 and x.sum().dtype is i64
    assert irtool.tensor([True, True]).sum().item() == 2
    with pytest.raises(RuntimeError, match=r"mean\(\): could not infer output dtype"):
        x.mean()


def test_in_place_results_keep_the_type() -> None:
    x = irtool.tensor([1, 2])
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        x += 0.5
    assert x.tolist() == [1, 2]
    y = irtool.tensor([1.0, 2.0])
    y += x.double()
    assert y.dtype is f32 and y.tolist() == [2.0, 4.0]


def test_default_dtype() -> None:
    try:
        irtool.set_default_dtype(f64)
        assert irtool.tensor([1.0]).dtype is f64
        assert (irtool.tensor([1]) * 1.5).dtype is f64
        assert irtool.zeros(2).dtype is f64
        assert repr(irtool.tensor([1.0])) == "tensor([1.])"
    finally:
        irtool.set_default_dtype(f32)
    assert irtool.tensor([1.0]).dtype is f32
    with pytest.raises(TypeError):
        irtool.set_default_dtype(i64)
