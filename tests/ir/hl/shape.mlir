// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @constants
func.func @constants() {
  // CHECK-NEXT: hl.constant 0.5 : tensor<4xf32>
  %0 = hl.constant 0.5 : tensor<4xf32>
  // CHECK-NEXT: hl.constant -inf : tensor<f32>
  %1 = hl.constant -inf : tensor<f32>
  // CHECK-NEXT: hl.constant nan : tensor<2x2xf64>
  %2 = hl.constant nan : tensor<2x2xf64>
  // CHECK-NEXT: hl.constant true : tensor<4xi1>
  %3 = hl.constant true : tensor<4xi1>
  // CHECK-NEXT: hl.constant 255 : tensor<1xui8>
  %4 = hl.constant 255 : tensor<1xui8>
  // CHECK-NEXT{LITERAL}: hl.constant dense [[0.1, inf], [nan, -0.0]] : tensor<2x2xf32>
  %5 = hl.constant dense [[0.1, inf], [nan, -0.0]] : tensor<2x2xf32>
  // CHECK-NEXT: hl.constant dense [true, false] : tensor<2xi1>
  %6 = hl.constant dense [true, false] : tensor<2xi1>
  // CHECK-NEXT: hl.constant dense [] : tensor<0xf32>
  %7 = hl.constant dense [] : tensor<0xf32>
  // CHECK-NEXT: hl.iota along 1 : tensor<2x4xi64>
  %8 = hl.iota along 1 : tensor<2x4xi64>
  func.return
}

// CHECK-LABEL: func.func @moves
func.func @moves(%x: tensor<10xf32>, %y: tensor<4x8xf32>, %u: tensor<?x8xf32>) {
  // CHECK-NEXT: hl.broadcast %x along [1] : tensor<10xf32> -> tensor<64x10xf32>
  %0 = hl.broadcast %x along [1] : tensor<10xf32> -> tensor<64x10xf32>
  // CHECK-NEXT: hl.reshape %y : tensor<4x8xf32> -> tensor<32xf32>
  %1 = hl.reshape %y : tensor<4x8xf32> -> tensor<32xf32>
  // CHECK-NEXT: hl.transpose %u [1, 0] : tensor<?x8xf32> -> tensor<8x?xf32>
  %2 = hl.transpose %u [1, 0] : tensor<?x8xf32> -> tensor<8x?xf32>
  // CHECK-NEXT: hl.slice %y from [0, 1] to [4, 8] by [1, 2] : tensor<4x8xf32> -> tensor<4x4xf32>
  %3 = hl.slice %y from [0, 1] to [4, 8] by [1, 2] : tensor<4x8xf32> -> tensor<4x4xf32>
  // CHECK-NEXT: hl.pad %y low [1, 0] high [-1, 2] interior [0, 0] with 0.0 : tensor<4x8xf32> -> tensor<4x10xf32>
  %4 = hl.pad %y low [1, 0] high [-1, 2] interior [0, 0] with 0.0 : tensor<4x8xf32> -> tensor<4x10xf32>
  // CHECK-NEXT: hl.concat %y, %{{.*}} along 1 : tensor<4x8xf32>, tensor<4x4xf32> -> tensor<4x12xf32>
  %5 = hl.concat %y, %3 along 1 : tensor<4x8xf32>, tensor<4x4xf32> -> tensor<4x12xf32>
  // CHECK-NEXT: hl.reverse %x along [0] : tensor<10xf32>
  %6 = hl.reverse %x along [0] : tensor<10xf32>
  func.return
}
