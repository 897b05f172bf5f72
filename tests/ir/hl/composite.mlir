// RUN: irtool opt %s | irtool opt | filecheck %s

// Attributes that have their usual value are left out.

// CHECK-LABEL: func.func @composites
func.func @composites(%x: tensor<64x10xf32>, %t: tensor<64xi64>) {
  // CHECK-NEXT: hl.softmax %x along 1 : tensor<64x10xf32>
  %0 = hl.softmax %x along 1 : tensor<64x10xf32>
  // CHECK-NEXT: hl.cross_entropy %x, %t {reduction = "mean"} : tensor<64x10xf32>, tensor<64xi64> -> tensor<f32>
  %1 = hl.cross_entropy %x, %t {reduction = "mean", ignore_index = -100} : tensor<64x10xf32>, tensor<64xi64> -> tensor<f32>
  // CHECK-NEXT: hl.cross_entropy %x, %t {reduction = "none", ignore_index = 0, label_smoothing = 0.1}
  %2 = hl.cross_entropy %x, %t {reduction = "none", ignore_index = 0, label_smoothing = 0.1} : tensor<64x10xf32>, tensor<64xi64> -> tensor<64xf32>
  // CHECK-NEXT: hl.gelu %x : tensor<64x10xf32>
  %3 = hl.gelu %x {approximate = "none"} : tensor<64x10xf32>
  // CHECK-NEXT: hl.gelu %x {approximate = "tanh"} : tensor<64x10xf32>
  %4 = hl.gelu %x {approximate = "tanh"} : tensor<64x10xf32>
  // CHECK-NEXT: hl.silu %x : tensor<64x10xf32>
  %5 = hl.silu %x : tensor<64x10xf32>
  func.return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<2x5x4xf32>, %k: tensor<2x3x4xf32>, %v: tensor<2x3x6xf32>, %m: tensor<5x1xi1>, %ct: tensor<2x5x6xf32>) {
  // CHECK-NEXT: %y, %l = hl.attention %q, %k, %v {scale = 0.5} : tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  %y, %l = hl.attention %q, %k, %v {causal = false, scale = 0.5} : tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  // CHECK-NEXT: hl.attention %q, %k, %v, %m {scale = 1.0, causal = true}
  %0, %1 = hl.attention %q, %k, %v, %m {scale = 1.0, causal = true} : tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x6xf32>, tensor<5x1xi1> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  // CHECK-NEXT: hl.attention_gradient %q, %k, %v, %y, %l, %ct {scale = 0.5}
  %dq, %dk, %dv = hl.attention_gradient %q, %k, %v, %y, %l, %ct {scale = 0.5} : tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x6xf32>, tensor<2x5x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32> -> tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x6xf32>
  func.return
}
