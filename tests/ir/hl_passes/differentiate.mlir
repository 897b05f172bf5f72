// RUN: irtool opt %s -p differentiate --split-input-file --print-debuginfo | filecheck %s

// One op, backwards.

// CHECK-LABEL: func.func @tanh
// CHECK-SAME:    (%[[W:.*]]: tensor<4xf32>
// CHECK-NEXT:  %[[H:.*]] = hl.tanh %[[W]] : tensor<4xf32>
// CHECK-NEXT:  %{{.*}} = hl.reduce_sum %[[H]] over [0]
// CHECK-NEXT:  %[[ONE:.*]] = hl.constant 1.0 : tensor<f32>
// CHECK-NEXT:  %[[CT:.*]] = hl.broadcast %[[ONE]] along [] : tensor<f32> -> tensor<4xf32>
// CHECK:       %[[SQUARE:.*]] = hl.mul %[[H]], %[[H]]
// CHECK:       %[[SLOPE:.*]] = hl.sub %{{.*}}, %[[SQUARE]]
// CHECK-NEXT:  %[[G:.*]] = hl.mul %[[CT]], %[[SLOPE]]
// CHECK-NEXT:  func.return %[[G]]
func.func @tanh(%w: tensor<4xf32>) -> tensor<4xf32> {
  %h = hl.tanh %w : tensor<4xf32>
  %l = hl.reduce_sum %h over [0] : tensor<4xf32> -> tensor<f32>
  %g = hl.gradient %l wrt %w : tensor<4xf32>
  func.return %g : tensor<4xf32>
}

// -----

// A value used twice has the sum of two cotangents; a variable is one more name for its operand, and goes.

// CHECK-LABEL: func.func @twice
// CHECK-SAME:    (%[[X:.*]]: tensor<f32>
// CHECK-NEXT:  %[[Y:.*]] = hl.mul %[[X]], %[[X]]
// CHECK-NEXT:  %[[ONE:.*]] = hl.constant 1.0
// CHECK-NEXT:  %[[A:.*]] = hl.mul %[[ONE]], %[[X]]
// CHECK-NEXT:  %[[B:.*]] = hl.mul %[[ONE]], %[[X]]
// CHECK-NEXT:  %[[G:.*]] = hl.add %[[A]], %[[B]]
// CHECK-NEXT:  func.return %[[G]]
func.func @twice(%x: tensor<f32>) -> tensor<f32> {
  %v = hl.variable %x : tensor<f32>
  %y = hl.mul %v, %v : tensor<f32>
  %g = hl.gradient %y wrt %v : tensor<f32>
  func.return %g : tensor<f32>
}

// -----

// What a stop_gradient hides, and what does not influence the loss, has gradient zero.

// CHECK-LABEL: func.func @stopped
// CHECK-SAME:    (%[[X:.*]]: tensor<f32>{{.*}}, %[[Y:.*]]: tensor<2xf32>
// CHECK:       %[[ONE:.*]] = hl.constant 1.0
// CHECK-NEXT:  %[[G:.*]] = hl.mul %[[ONE]], %[[X]]
// CHECK-NEXT:  %[[ZERO:.*]] = hl.constant 0.0 : tensor<2xf32>
// CHECK-NEXT:  func.return %[[G]], %[[ZERO]]
// CHECK-NOT:   hl.stop_gradient
func.func @stopped(%x: tensor<f32>, %y: tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>) {
  %s = hl.stop_gradient %x : tensor<f32>
  %z = hl.mul %x, %s : tensor<f32>
  %g, %h = hl.gradient %z wrt %x, %y : tensor<f32>, tensor<2xf32>
  func.return %g, %h : tensor<f32>, tensor<2xf32>
}

// -----

// The gradient of a gradient: 3 * x ** 2 twice, so 6 * x.

// CHECK-LABEL: func.func @twofold
// CHECK-NOT:   hl.gradient
// CHECK:       func.return
func.func @twofold(%x: tensor<f32>) -> tensor<f32> {
  %two = hl.mul %x, %x : tensor<f32>
  %three = hl.mul %two, %x : tensor<f32>
  %first = hl.gradient %three wrt %x : tensor<f32>
  %second = hl.gradient %first wrt %x : tensor<f32>
  func.return %second : tensor<f32>
}

// -----

// A gradient op says whose gradient it is.

// CHECK-LABEL: func.func @lines
// CHECK:       hl.cos %{{.*}} loc("gradient"("net.py":3:0))
func.func @lines(%x: tensor<f32>) -> tensor<f32> {
  %y = hl.sin %x : tensor<f32> loc("net.py":3:0)
  %g = hl.gradient %y wrt %x : tensor<f32>
  func.return %g : tensor<f32>
}
