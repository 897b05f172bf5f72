// RUN: irtool opt %s -p simplify --split-input-file | filecheck %s

// Merging makes more patterns match, and what they leave behind goes.

// CHECK-LABEL: func.func @f
// CHECK-SAME:    (%[[X:.*]]: tensor<4x4xf32>
// CHECK-NEXT:  %[[P:.*]] = hl.mul %[[X]], %[[X]] : tensor<4x4xf32>
// CHECK-NEXT:  func.return %[[P]]
func.func @f(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = hl.transpose %x [1, 0] : tensor<4x4xf32>
  %1 = hl.transpose %0 [1, 0] : tensor<4x4xf32>
  %2 = hl.mul %x, %1 : tensor<4x4xf32>
  %3 = hl.mul %1, %x : tensor<4x4xf32>
  %4 = hl.maximum %2, %3 : tensor<4x4xf32>
  func.return %4 : tensor<4x4xf32>
}
