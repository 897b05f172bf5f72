// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @reductions
func.func @reductions(%x: tensor<64x10xf32>, %b: tensor<4xi1>, %u: tensor<?x10xi32>) {
  // CHECK-NEXT: hl.reduce_sum %x over [0] : tensor<64x10xf32> -> tensor<10xf32>
  %0 = hl.reduce_sum %x over [0] : tensor<64x10xf32> -> tensor<10xf32>
  // CHECK-NEXT: hl.reduce_max %x over [0, 1] : tensor<64x10xf32> -> tensor<f32>
  %1 = hl.reduce_max %x over [0, 1] : tensor<64x10xf32> -> tensor<f32>
  // CHECK-NEXT: hl.reduce_prod %u over [1] : tensor<?x10xi32> -> tensor<?xi32>
  %2 = hl.reduce_prod %u over [1] : tensor<?x10xi32> -> tensor<?xi32>
  // CHECK-NEXT: hl.reduce_any %b over [0] : tensor<4xi1> -> tensor<i1>
  %3 = hl.reduce_any %b over [0] : tensor<4xi1> -> tensor<i1>
  // CHECK-NEXT: hl.argmax %x over 1 : tensor<64x10xf32> -> tensor<64xi64>
  %4 = hl.argmax %x over 1 : tensor<64x10xf32> -> tensor<64xi64>
  // CHECK-NEXT: hl.reduce_min %x over [] : tensor<64x10xf32>
  %5 = hl.reduce_min %x over [] : tensor<64x10xf32>
  func.return
}
