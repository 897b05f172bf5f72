// RUN: irtool opt %s -p canonicalize --split-input-file --print-debuginfo | filecheck %s

// The example of passes/hl/canonicalize.py.

// CHECK-LABEL: func.func @chain
// CHECK-SAME:    (%[[X:.*]]: tensor<4x4xf32>
// CHECK-NEXT:  %[[Y:.*]] = hl.exp %[[X]] : tensor<4x4xf32>
// CHECK-NEXT:  func.return %[[Y]]
func.func @chain(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = hl.constant 0.0 : tensor<4x4xf32>
  %1 = hl.transpose %x [1, 0] : tensor<4x4xf32>
  %2 = hl.transpose %1 [1, 0] : tensor<4x4xf32>
  %3 = hl.add %0, %2 : tensor<4x4xf32>
  %4 = hl.exp %3 : tensor<4x4xf32>
  func.return %4 : tensor<4x4xf32>
}

// -----

// A float times 0 may be NaN; an integer may not.

// CHECK-LABEL: func.func @zero
// CHECK-NEXT:  %[[Z:.*]] = hl.constant 0.0
// CHECK-NEXT:  %[[P:.*]] = hl.mul %{{.*}}, %[[Z]] : tensor<2xf32>
// CHECK-NEXT:  %[[I:.*]] = hl.constant 0 : tensor<2xi64>
// CHECK-NEXT:  func.return %[[P]], %[[I]]
func.func @zero(%x: tensor<2xf32>, %n: tensor<2xi64>) -> (tensor<2xf32>, tensor<2xi64>) {
  %z = hl.constant 0.0 : tensor<2xf32>
  %p = hl.mul %x, %z : tensor<2xf32>
  %i = hl.constant 0 : tensor<2xi64>
  %q = hl.mul %n, %i : tensor<2xi64>
  func.return %p, %q : tensor<2xf32>, tensor<2xi64>
}

// -----

// Constants fold: one number whatever the shape, infinities included, or every element of a small tensor.

// CHECK-LABEL: func.func @fold
// CHECK-DAG:   %[[A:.*]] = hl.constant -inf : tensor<1000x1000xf32>
// CHECK-DAG:   %[[B:.*]] = hl.constant dense [4, 9] : tensor<2xi64>
// CHECK:       func.return %[[A]], %[[B]]
func.func @fold() -> (tensor<1000x1000xf32>, tensor<2xi64>) {
  %0 = hl.constant inf : tensor<f32>
  %1 = hl.neg %0 : tensor<f32>
  %2 = hl.broadcast %1 along [] : tensor<f32> -> tensor<1000x1000xf32>
  %3 = hl.constant dense [2, 3] : tensor<2xi64>
  %4 = hl.mul %3, %3 : tensor<2xi64>
  func.return %2, %4 : tensor<1000x1000xf32>, tensor<2xi64>
}

// -----

// A reduction that kept its dimension, repeated along it: one broadcast.

// CHECK-LABEL: func.func @keepdim
// CHECK-NEXT:  %[[M:.*]] = hl.reduce_max %{{.*}} over [1]
// CHECK-NEXT:  %[[B:.*]] = hl.broadcast %[[M]] along [0] : tensor<4xf32> -> tensor<4x8xf32>
// CHECK-NEXT:  func.return %[[B]]
func.func @keepdim(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = hl.reduce_max %x over [1] : tensor<4x8xf32> -> tensor<4xf32>
  %1 = hl.reshape %0 : tensor<4xf32> -> tensor<4x1xf32>
  %2 = hl.broadcast %1 along [0, 1] : tensor<4x1xf32> -> tensor<4x8xf32>
  func.return %2 : tensor<4x8xf32>
}

// -----

// What is made takes the place of the replaced op, and its line.

// CHECK-LABEL: func.func @square
// CHECK-NEXT:  %[[Y:.*]] = hl.mul %[[X:.*]], %[[X]] : tensor<4xf32> loc("net.py":5:0)
func.func @square(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = hl.constant 2.0 : tensor<4xf32> loc("net.py":4:0)
  %y = hl.pow %x, %two : tensor<4xf32> loc("net.py":5:0)
  func.return %y : tensor<4xf32>
}

// -----

// Unknown extents are left alone.

// CHECK-LABEL: func.func @dynamic
// CHECK:       hl.reshape
// CHECK:       func.return
func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = hl.reshape %x : tensor<?x4xf32> -> tensor<?x4xf32>
  func.return %0 : tensor<?x4xf32>
}

// -----

// The gradient of chunk: parts in their places among zeros, added up.

// CHECK-LABEL: func.func @sum_of_pads
// CHECK-SAME:    (%[[A:.*]]: tensor<2x3xf32> loc(unknown), %[[B:.*]]: tensor<2x3xf32> loc(unknown), %[[C:.*]]: tensor<2x3xf32> loc(unknown))
// CHECK:         %[[R:.*]] = hl.concat %[[A]], %[[B]], %[[C]] along 1
// CHECK-NEXT:    func.return %[[R]]
func.func @sum_of_pads(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>, %c: tensor<2x3xf32>) -> tensor<2x9xf32> {
  %0 = hl.pad %a low [0, 0] high [0, 6] interior [0, 0] with 0.0 : tensor<2x3xf32> -> tensor<2x9xf32>
  %1 = hl.pad %b low [0, 3] high [0, 3] interior [0, 0] with 0.0 : tensor<2x3xf32> -> tensor<2x9xf32>
  %2 = hl.pad %c low [0, 6] high [0, 0] interior [0, 0] with 0.0 : tensor<2x3xf32> -> tensor<2x9xf32>
  %3 = hl.add %2, %0 : tensor<2x9xf32>
  %4 = hl.add %3, %1 : tensor<2x9xf32>
  func.return %4 : tensor<2x9xf32>
}
