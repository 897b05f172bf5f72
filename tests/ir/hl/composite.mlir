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
