"""Verification checks one op of each signature: what differs in a type, an attribute or a use is still found."""

from __future__ import annotations

import pytest
from irtool.dialects.text import parse_module
from irtool.passes.verify import VerifyError, verify

FUNCTION = """func.func @f(%x: f32, %y: f32, %m: memref<4xf32>, %i: index) {{
  %a = "arith.addf"(%x, %y) <{{fastmath = #arith.fastmath<none>}}> : (f32, f32) -> f32
  %b = "arith.addf"(%a, %y) <{{fastmath = #arith.fastmath<none>}}> : (f32, f32) -> f32
  %c = "arith.constant"() <{{value = 1.0 : f32}}> : () -> f32
  %v = "memref.load"(%m, %i) : (memref<4xf32>, index) -> f32
  {line}
  func.return
}}
"""


@pytest.mark.parametrize(
    "line",
    [
        '%d = "arith.addf"(%b, %a) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32',
        '%d = "memref.load"(%m, %i) : (memref<4xf32>, index) -> f32',
    ],
)
def test_good(line: str) -> None:
    verify(parse_module(FUNCTION.format(line=line)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('%d = "arith.addf"(%x, %y) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f64', "f64"),
        ('%d = "arith.addf"(%x) <{fastmath = #arith.fastmath<none>}> : (f32) -> f32', "Expected 2 operands"),
        ('%d = "arith.constant"() <{value = 1 : i32}> : () -> f32', "arith.constant|f32"),
        ('%d = "arith.constant"() : () -> f32', "'value' expected"),
        ('%d = "memref.load"(%m) : (memref<4xf32>) -> f32', "memref.load: expected an index for each dimension"),
        (
            '%d = "arith.addf"(%e, %y) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32\n'
            '  %e = "arith.addf"(%x, %y) <{fastmath = #arith.fastmath<none>}> : (f32, f32) -> f32',
            "%e is used before it is defined",
        ),
    ],
)
def test_bad_among_good(line: str, message: str) -> None:
    with pytest.raises(VerifyError, match=message):
        verify(parse_module(FUNCTION.format(line=line)))
