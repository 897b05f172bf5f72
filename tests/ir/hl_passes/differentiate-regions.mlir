// RUN: irtool opt %s -p differentiate,simplify | filecheck %s

// The body is the gradient, and is itself differentiated.
// CHECK-LABEL: func.func @custom
// CHECK-NEXT:    %v = hl.mul %x, %x
// CHECK-NEXT:    %g = hl.constant 3.0
// CHECK-LABEL: func.func @twice
// CHECK-NEXT:    %g2 = hl.constant 1.0 : tensor<4xf32>
// CHECK-NEXT:    func.return %g2

// The inside is computed again, from what stands behind the barrier.
// CHECK-LABEL: func.func @checkpoint
// CHECK-NEXT:    [[A:%.*]] = hl.mul %x, %w
// CHECK-NEXT:    %y = hl.tanh [[A]]
// CHECK:         [[X:%.*]], [[W:%.*]], {{%.*}} = hl.barrier %x, %w
// CHECK-NEXT:    [[B:%.*]] = hl.mul [[X]], [[W]]
// CHECK-NEXT:    [[T:%.*]] = hl.tanh [[B]]
// CHECK-NEXT:    hl.mul [[T]], [[T]]

func.func @custom(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %v = hl.mul %x, %x : tensor<4xf32>
  %y = hl.custom_gradient value(%v) of(%x) : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>):
    %3 = hl.constant 3.0 : tensor<4xf32>
    %0 = hl.mul %dy, %3 : tensor<4xf32>
    hl.yield %0 : tensor<4xf32>
  }
  %l = hl.reduce_sum %y over [0] : tensor<4xf32> -> tensor<f32>
  %g = hl.gradient %l wrt %x : tensor<4xf32>
  func.return %y, %g : tensor<4xf32>, tensor<4xf32>
}

func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %v = hl.mul %x, %x : tensor<4xf32>
  %y = hl.custom_gradient value(%v) of(%x) with(%x) : tensor<4xf32>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>, %x0: tensor<4xf32>):
    %0 = hl.mul %dy, %x0 : tensor<4xf32>
    hl.yield %0 : tensor<4xf32>
  }
  %l = hl.reduce_sum %y over [0] : tensor<4xf32> -> tensor<f32>
  %g = hl.gradient %l wrt %x : tensor<4xf32>
  %l2 = hl.reduce_sum %g over [0] : tensor<4xf32> -> tensor<f32>
  %g2 = hl.gradient %l2 wrt %x : tensor<4xf32>
  func.return %g2 : tensor<4xf32>
}
func.func @checkpoint(%x: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %y = hl.checkpoint of(%x, %w) : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {

  ^bb0(%x0: tensor<4xf32>, %w0: tensor<4xf32>):
    %0 = hl.mul %x0, %w0 : tensor<4xf32>
    %1 = hl.tanh %0 : tensor<4xf32>
    hl.yield %1 : tensor<4xf32>
  }
  %l = hl.reduce_sum %y over [0] : tensor<4xf32> -> tensor<f32>
  %g = hl.gradient %l wrt %w : tensor<4xf32>
  func.return %y, %g : tensor<4xf32>, tensor<4xf32>
}
