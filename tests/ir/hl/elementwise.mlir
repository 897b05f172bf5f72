// RUN: irtool opt %s | irtool opt | filecheck %s

// One type stands for all operands and results; else all are written.

// CHECK-LABEL: func.func @unary
func.func @unary(%x: tensor<2x3xf32>, %b: tensor<4xi1>) {
  // CHECK-NEXT: %{{.*}} = hl.neg %x : tensor<2x3xf32>
  %0 = hl.neg %x : tensor<2x3xf32>
  // CHECK-NEXT: hl.relu %{{.*}} : tensor<2x3xf32>
  %1 = hl.relu %0 : tensor<2x3xf32>
  // CHECK-NEXT: hl.is_nan %{{.*}} : tensor<2x3xf32> -> tensor<2x3xi1>
  %2 = hl.is_nan %1 : tensor<2x3xf32> -> tensor<2x3xi1>
  // CHECK-NEXT: hl.logical_not %b : tensor<4xi1>
  %3 = hl.logical_not %b : tensor<4xi1>
  func.return
}

// CHECK-LABEL: func.func @binary
func.func @binary(%x: tensor<?x3xf64>, %i: tensor<4xui8>) {
  // CHECK-NEXT: hl.add %x, %x : tensor<?x3xf64>
  %0 = hl.add %x, %x : tensor<?x3xf64>
  // CHECK-NEXT: hl.shift_left %i, %i : tensor<4xui8>
  %1 = hl.shift_left %i, %i : tensor<4xui8>
  // CHECK-NEXT: hl.compare %x, %{{.*}} is "lt" : tensor<?x3xf64>, tensor<?x3xf64> -> tensor<?x3xi1>
  %2 = hl.compare %x, %0 is "lt" : tensor<?x3xf64>, tensor<?x3xf64> -> tensor<?x3xi1>
  // CHECK-NEXT: hl.select %{{.*}}, %x, %{{.*}} : tensor<?x3xi1>, tensor<?x3xf64>, tensor<?x3xf64> -> tensor<?x3xf64>
  %3 = hl.select %2, %x, %0 : tensor<?x3xi1>, tensor<?x3xf64>, tensor<?x3xf64> -> tensor<?x3xf64>
  // CHECK-NEXT: hl.cast %i : tensor<4xui8> -> tensor<4xf32>
  %4 = hl.cast %i : tensor<4xui8> -> tensor<4xf32>
  func.return
}

// An extent that is known on one side fits one that is not.

// CHECK-LABEL: func.func @unknown_meets_known
func.func @unknown_meets_known(%x: tensor<?xf32>, %y: tensor<4xf32>) {
  // CHECK-NEXT: hl.mul %x, %y : tensor<?xf32>, tensor<4xf32> -> tensor<4xf32>
  %0 = hl.mul %x, %y : tensor<?xf32>, tensor<4xf32> -> tensor<4xf32>
  func.return
}
