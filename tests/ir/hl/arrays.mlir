// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @contraction
func.func @contraction(%x: tensor<64x784xf32>, %y: tensor<784x10xf32>, %u: tensor<?x2x3xf32>, %v: tensor<5x3x?xf32>) {
  // CHECK-NEXT: hl.matmul %x, %y : tensor<64x784xf32>, tensor<784x10xf32> -> tensor<64x10xf32>
  %0 = hl.matmul %x, %y : tensor<64x784xf32>, tensor<784x10xf32> -> tensor<64x10xf32>
  // CHECK-NEXT: hl.matmul %u, %v : tensor<?x2x3xf32>, tensor<5x3x?xf32> -> tensor<5x2x?xf32>
  %1 = hl.matmul %u, %v : tensor<?x2x3xf32>, tensor<5x3x?xf32> -> tensor<5x2x?xf32>
  func.return
}

// CHECK-LABEL: func.func @indexing
func.func @indexing(%x: tensor<100x16xf32>, %i: tensor<8x32xi64>, %r: tensor<100xi32>) {
  // CHECK-NEXT: hl.gather %x, %i along 0 : tensor<100x16xf32>, tensor<8x32xi64> -> tensor<8x32x16xf32>
  %0 = hl.gather %x, %i along 0 : tensor<100x16xf32>, tensor<8x32xi64> -> tensor<8x32x16xf32>
  // CHECK-NEXT: hl.gather %x, %r along 1 batch 1 : tensor<100x16xf32>, tensor<100xi32> -> tensor<100xf32>
  %1 = hl.gather %x, %r along 1 batch 1 : tensor<100x16xf32>, tensor<100xi32> -> tensor<100xf32>
  // CHECK-NEXT: hl.scatter_add %x, %i, %{{.*}} along 0
  // CHECK-SAME: tensor<100x16xf32>, tensor<8x32xi64>, tensor<8x32x16xf32> -> tensor<100x16xf32>
  %2 = hl.scatter_add %x, %i, %0 along 0 : tensor<100x16xf32>, tensor<8x32xi64>, tensor<8x32x16xf32> -> tensor<100x16xf32>
  func.return
}

// CHECK-LABEL: func.func @random
func.func @random(%state: tensor<2xi64>, %p: tensor<f32>) {
  // CHECK-NEXT: hl.random_bits %state : tensor<2xi64> -> tensor<8xi32>
  %0 = hl.random_bits %state : tensor<2xi64> -> tensor<8xi32>
  // CHECK-NEXT: hl.uniform %state : tensor<2xi64> -> tensor<2x4xf64>
  %1 = hl.uniform %state : tensor<2xi64> -> tensor<2x4xf64>
  // CHECK-NEXT: hl.bernoulli %state, %p : tensor<2xi64>, tensor<f32> -> tensor<8xi1>
  %2 = hl.bernoulli %state, %p : tensor<2xi64>, tensor<f32> -> tensor<8xi1>
  func.return
}
