// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @derivatives
func.func @derivatives(%w: tensor<10x784xf32>, %loss: tensor<f32>) {
  // CHECK-NEXT: %v = hl.variable %w : tensor<10x784xf32>
  %v = hl.variable %w : tensor<10x784xf32>
  // CHECK-NEXT: %dv, %dl = hl.gradient %loss wrt %v, %loss : tensor<10x784xf32>, tensor<f32>
  %dv, %dl = hl.gradient %loss wrt %v, %loss : tensor<10x784xf32>, tensor<f32>
  // CHECK-NEXT: hl.stop_gradient %dv : tensor<10x784xf32>
  %0 = hl.stop_gradient %dv : tensor<10x784xf32>
  // CHECK-NEXT: hl.barrier %w, %loss : tensor<10x784xf32>, tensor<f32> -> tensor<10x784xf32>, tensor<f32>
  %1, %2 = hl.barrier %w, %loss : tensor<10x784xf32>, tensor<f32> -> tensor<10x784xf32>, tensor<f32>
  func.return
}
