// RUN: irtool opt %s -p merge-kernels --split-input-file --print-debuginfo | filecheck %s

// Equal kernels become one, which lists the lines of both.

// CHECK-LABEL: func.func @step
// CHECK:       func.call @exp(%{{.*}}) : {{.*}} loc("a.py":1:0)
// CHECK-NEXT:  func.call @exp(%{{.*}}) : {{.*}} loc("a.py":9:0)
// CHECK:       func.func private @exp
// CHECK:       } loc(fused["a.py":1:0, "a.py":9:0])
// CHECK-NOT:   func.func
func.func @step(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = func.call @exp(%x) : (tensor<8xf32>) -> tensor<8xf32> loc("a.py":1:0)
  %1 = func.call @exp_2(%0) : (tensor<8xf32>) -> tensor<8xf32> loc("a.py":9:0)
  func.return %1 : tensor<8xf32>
}
func.func private @exp(%x: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<8xf32>
  func.return %0 : tensor<8xf32>
} loc("a.py":1:0)
func.func private @exp_2(%named: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %other = hl.exp %named : tensor<8xf32>
  func.return %other : tensor<8xf32>
} loc("a.py":9:0)

// -----

// Other ties, attributes, constants or operands: other kernels.

// CHECK-LABEL: func.func @different
// CHECK:       func.call @a
// CHECK-NEXT:  func.call @b
// CHECK-NEXT:  func.call @c
// CHECK-NEXT:  func.call @d
// CHECK-NEXT:  func.call @e
func.func @different(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = func.call @a(%x) : (tensor<8xf32>) -> tensor<8xf32>
  %1 = func.call @b(%0) : (tensor<8xf32>) -> tensor<8xf32>
  %2 = func.call @c(%1) : (tensor<8xf32>) -> tensor<8xf32>
  %3 = func.call @d(%2, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %4 = func.call @e(%3, %3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  func.return %4 : tensor<8xf32>
}
func.func private @a(%x: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.constant 1.0 : tensor<8xf32>
  %1 = hl.add %x, %0 : tensor<8xf32>
  func.return %1 : tensor<8xf32>
}
func.func private @b(%x: tensor<8xf32> {irtool.tied = 0 : i64}) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.constant 1.0 : tensor<8xf32>
  %1 = hl.add %x, %0 : tensor<8xf32>
  func.return %1 : tensor<8xf32>
}
func.func private @c(%x: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.constant 2.0 : tensor<8xf32>
  %1 = hl.add %x, %0 : tensor<8xf32>
  func.return %1 : tensor<8xf32>
}
func.func private @d(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.sub %x, %y : tensor<8xf32>
  func.return %0 : tensor<8xf32>
}
func.func private @e(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.sub %y, %x : tensor<8xf32>
  func.return %0 : tensor<8xf32>
}
