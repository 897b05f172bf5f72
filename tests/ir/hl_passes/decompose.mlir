// RUN: irtool opt %s -p decompose --split-input-file --print-debuginfo | filecheck %s

// CHECK-LABEL: func.func @softmax
// CHECK-SAME:    (%[[X:.*]]: tensor<4x8xf32>
// CHECK-NEXT:  %[[MAX:.*]] = hl.reduce_max %[[X]] over [1]
// CHECK-NEXT:  %[[B:.*]] = hl.broadcast %[[MAX]] along [0]
// CHECK-NEXT:  %[[S:.*]] = hl.sub %[[X]], %[[B]]
// CHECK-NEXT:  %[[E:.*]] = hl.exp %[[S]] : tensor<4x8xf32> loc("net.py":3:0)
// CHECK-NEXT:  %[[SUM:.*]] = hl.reduce_sum %[[E]] over [1]
// CHECK-NEXT:  %[[T:.*]] = hl.broadcast %[[SUM]] along [0]
// CHECK-NEXT:  %[[Y:.*]] = hl.div %[[E]], %[[T]]
// CHECK-NEXT:  func.return %[[Y]]
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = hl.softmax %x along 1 : tensor<4x8xf32> loc("net.py":3:0)
  func.return %y : tensor<4x8xf32>
}

// -----

// A composite made of another: nothing of either is left.

// CHECK-LABEL: func.func @bernoulli
// CHECK:       hl.random_bits
// CHECK:       hl.shift_right_logical
// CHECK-NOT:   hl.uniform
// CHECK:       hl.compare %{{.*}}, %{{.*}} is "lt"
func.func @bernoulli(%s: tensor<2xi64>, %p: tensor<f32>) -> tensor<8xi1> {
  %m = hl.bernoulli %s, %p : tensor<2xi64>, tensor<f32> -> tensor<8xi1>
  func.return %m : tensor<8xi1>
}

// -----

// CHECK-LABEL: func.func @attention
// CHECK-SAME:    (%[[Q:.*]]: tensor<2x8x4xf32> loc({{.*}}), %[[K:.*]]: tensor<2x8x4xf32> loc({{.*}}), %[[V:.*]]: tensor
// CHECK:       %[[S:.*]] = hl.matmul %[[Q]], %{{.*}} -> tensor<2x8x8xf32>
// CHECK:       hl.select
// CHECK:       %[[P:.*]] = hl.div %{{.*}}, %{{.*}} : tensor<2x8x8xf32>
// CHECK:       %[[Y:.*]] = hl.matmul %[[P]], %[[V]]
// CHECK:       %[[L:.*]] = hl.add
// CHECK:       func.return %[[Y]], %[[L]]
func.func @attention(%q: tensor<2x8x4xf32>, %k: tensor<2x8x4xf32>, %v: tensor<2x8x6xf32>) -> (tensor<2x8x6xf32>, tensor<2x8xf32>) {
  %y, %l = hl.attention %q, %k, %v {causal = true, scale = 0.5} : tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x6xf32> -> tensor<2x8x6xf32>, tensor<2x8xf32>
  func.return %y, %l : tensor<2x8x6xf32>, tensor<2x8xf32>
}
