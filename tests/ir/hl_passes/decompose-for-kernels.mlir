// RUN: irtool opt %s -p "decompose{attention_kernels=1}" | filecheck %s

// A target with kernels for attention keeps it whole, unless its rows are too long.
// CHECK-LABEL: func.func @kept
// CHECK-NEXT:  %y, %l = hl.attention %q, %q, %q
// CHECK-NEXT:  hl.attention_gradient
func.func @kept(%q: tensor<2x8x128xf32>) -> tensor<2x8x128xf32> {
  %y, %l = hl.attention %q, %q, %q {scale = 0.5} : tensor<2x8x128xf32>, tensor<2x8x128xf32>, tensor<2x8x128xf32> -> tensor<2x8x128xf32>, tensor<2x8xf32>
  %dq, %dk, %dv = hl.attention_gradient %q, %q, %q, %y, %l, %y {scale = 0.5} : tensor<2x8x128xf32>, tensor<2x8x128xf32>, tensor<2x8x128xf32>, tensor<2x8x128xf32>, tensor<2x8xf32>, tensor<2x8x128xf32> -> tensor<2x8x128xf32>, tensor<2x8x128xf32>, tensor<2x8x128xf32>
  func.return %dq : tensor<2x8x128xf32>
}

// CHECK-LABEL: func.func @long
// CHECK-NOT:   hl.attention
// CHECK:       hl.matmul
func.func @long(%q: tensor<2x8x65xf64>) -> tensor<2x8x65xf64> {
  %y, %l = hl.attention %q, %q, %q {scale = 0.5} : tensor<2x8x65xf64>, tensor<2x8x65xf64>, tensor<2x8x65xf64> -> tensor<2x8x65xf64>, tensor<2x8xf64>
  func.return %y : tensor<2x8x65xf64>
}
