// RUN: irtool opt %s -p sink-reshapes,simplify --split-input-file | filecheck %s

// Bias, row sum and what follows run on the product itself; one reshape is left, at the end.

// CHECK-LABEL: func.func @f
// CHECK:         %[[P:.*]] = hl.matmul
// CHECK-NEXT:    %[[B:.*]] = hl.broadcast %b along [1] : tensor<20xf32> -> tensor<21x20xf32>
// CHECK-NEXT:    %[[Y:.*]] = hl.add %[[P]], %[[B]] : tensor<21x20xf32>
// CHECK-NEXT:    %[[S:.*]] = hl.reduce_sum %[[Y]] over [1]
// CHECK-NEXT:    %[[T:.*]] = hl.broadcast %[[S]] along [0] : tensor<21xf32> -> tensor<21x20xf32>
// CHECK:         %[[R:.*]] = hl.reshape %{{.*}} : tensor<21x20xf32> -> tensor<7x3x20xf32>
// CHECK-NEXT:    func.return %[[R]]
func.func @f(%x: tensor<7x3x4xf32>, %w: tensor<4x20xf32>, %b: tensor<20xf32>, %g: tensor<20xf32>) -> tensor<7x3x20xf32> {
  %0 = hl.reshape %x : tensor<7x3x4xf32> -> tensor<21x4xf32>
  %1 = hl.matmul %0, %w : tensor<21x4xf32>, tensor<4x20xf32> -> tensor<21x20xf32>
  %2 = hl.reshape %1 : tensor<21x20xf32> -> tensor<7x3x20xf32>
  %3 = hl.broadcast %b along [2] : tensor<20xf32> -> tensor<7x3x20xf32>
  %4 = hl.add %2, %3 : tensor<7x3x20xf32>
  %5 = hl.reduce_sum %4 over [2] : tensor<7x3x20xf32> -> tensor<7x3xf32>
  %6 = hl.broadcast %5 along [0, 1] : tensor<7x3xf32> -> tensor<7x3x20xf32>
  %7 = hl.sub %4, %6 : tensor<7x3x20xf32>
  %8 = hl.broadcast %g along [2] : tensor<20xf32> -> tensor<7x3x20xf32>
  %9 = hl.mul %7, %8 : tensor<7x3x20xf32>
  func.return %9 : tensor<7x3x20xf32>
}

// -----

// A reshape of an argument costs nothing where it is, and one that a reduction looks into stays.

// CHECK-LABEL: func.func @stays
// CHECK-NEXT:    hl.reshape %x
// CHECK-NEXT:    hl.neg
// CHECK-NEXT:    hl.exp
// CHECK-NEXT:    hl.reshape
// CHECK-NEXT:    hl.reduce_sum
func.func @stays(%x: tensor<6x4xf32>, %y: tensor<6x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x4xf32>) {
  %0 = hl.reshape %x : tensor<6x4xf32> -> tensor<2x3x4xf32>
  %1 = hl.neg %0 : tensor<2x3x4xf32>
  %2 = hl.exp %y : tensor<6x4xf32>
  %3 = hl.reshape %2 : tensor<6x4xf32> -> tensor<2x3x4xf32>
  %4 = hl.reduce_sum %3 over [1] : tensor<2x3x4xf32> -> tensor<2x4xf32>
  func.return %1, %4 : tensor<2x3x4xf32>, tensor<2x4xf32>
}
