// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @custom
func.func @custom(%v: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: %y = hl.custom_gradient value(%v) of(%x) with(%x) : tensor<4xf32>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
  // CHECK-NEXT: ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>, %x0: tensor<4xf32>):
  %y = hl.custom_gradient value(%v) of(%x) with(%x) : tensor<4xf32>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>, %x0: tensor<4xf32>):
    %0 = hl.mul %dy, %x0 : tensor<4xf32>
    hl.yield %0 : tensor<4xf32>
  }
  func.return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func @checkpoint
func.func @checkpoint(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: %y = hl.checkpoint of(%x) : tensor<4xf32> -> tensor<4xf32> {
  // CHECK-NEXT: ^bb0(%x0: tensor<4xf32>):
  %y = hl.checkpoint of(%x) : tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    %0 = hl.tanh %x0 : tensor<4xf32>
    hl.yield %0 : tensor<4xf32>
  }
  func.return %y : tensor<4xf32>
}
