"""Indices in CUDA C: numbers of 32 bits where they fit, else of 64."""

from __future__ import annotations

from irtool.codegen.cuda.cuda import print_cuda
from irtool.dialects.text import make_context, parse_module
from irtool.passes.loops.gpu.narrow_indices import NarrowIndices

from .launches import kernel, launch, module


def text_of(elements: int) -> str:
    """What fills a buffer of so many elements becomes, 256 to a block, and the first of each block again."""
    type_ = f"memref<{elements}xf32>"
    body = f"""
      %c256 = arith.constant 256 : index
      %zero = arith.constant 0.0 : f32
      %first = arith.muli %b, %c256 : index
      %p = arith.addi %first, %t : index
      memref.store %zero, %y[%p] : {type_}
      memref.store %zero, %y[%b] : {type_}
      memref.store %zero, %y[%first] : {type_}"""
    blocks = elements // 256
    made = kernel(body, f"%y: {type_}", 256, blocks)
    host = launch("%y", type_, 256, blocks)
    parsed = parse_module(module(host, f"%y: {type_} {{irtool.out = 0}}", made, 256, blocks), "train.mlir")
    NarrowIndices().apply(make_context(), parsed)
    return print_cuda(parsed).one_file()


def test_places_of_a_small_buffer_have_32_bits() -> None:
    text = text_of(1 << 20)
    for line in ("const int b = blockIdx.x;", "int first = b * 256;", "y[first + t] = 0.0f;"):
        assert line in text


def test_places_behind_2_31_have_64_bits() -> None:
    text = text_of(3 << 30)
    assert "const long b = blockIdx.x;" in text and "long first = b * 256;" in text
    assert "int first" not in text
