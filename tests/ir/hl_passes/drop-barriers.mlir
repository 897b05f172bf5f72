// RUN: irtool opt %s -p drop-barriers | filecheck %s

// CHECK-LABEL: func.func @f
// CHECK-SAME:    (%[[X:.*]]: tensor<4xf32>
// CHECK-NEXT:  %[[A:.*]] = hl.exp %[[X]]
// CHECK-NEXT:  %[[B:.*]] = hl.exp %[[X]]
// CHECK-NEXT:  func.return %[[A]], %[[B]]
func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = hl.exp %x : tensor<4xf32>
  %1 = hl.barrier %x : tensor<4xf32>
  %2 = hl.exp %1 : tensor<4xf32>
  func.return %0, %2 : tensor<4xf32>, tensor<4xf32>
}
