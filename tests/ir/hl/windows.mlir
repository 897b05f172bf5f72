// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @convolution
func.func @convolution(%x: tensor<8x4x32x32xf32>, %w: tensor<16x2x3x3xf32>, %u: tensor<?x4x?xf32>, %v: tensor<6x4x3xf32>) {
  // CHECK-NEXT: hl.conv %x, %w stride [2, 1] low [1, 1] high [1, 0] dilation [1, 1] input_dilation [1, 1] groups 2
  // CHECK-SAME: -> tensor<8x16x16x31xf32>
  %0 = hl.conv %x, %w stride [2, 1] low [1, 1] high [1, 0] dilation [1, 1] input_dilation [1, 1] groups 2
    : tensor<8x4x32x32xf32>, tensor<16x2x3x3xf32> -> tensor<8x16x16x31xf32>
  // CHECK-NEXT: hl.conv %u, %v stride [1] low [0] high [-1] dilation [2] input_dilation [2] : tensor<?x4x?xf32>
  %1 = hl.conv %u, %v stride [1] low [0] high [-1] dilation [2] input_dilation [2]
    : tensor<?x4x?xf32>, tensor<6x4x3xf32> -> tensor<?x6x?xf32>
  // CHECK-NEXT: hl.correlate %u, %v stride [1] dilation [1] : tensor<?x4x?xf32>, tensor<6x4x3xf32> -> tensor<?x6x?xf32>
  %2 = hl.correlate %u, %v stride [1] dilation [1] : tensor<?x4x?xf32>, tensor<6x4x3xf32> -> tensor<?x6x?xf32>
  func.return
}

// CHECK-LABEL: func.func @pooling
func.func @pooling(%x: tensor<8x4x32x32xf32>) {
  // CHECK-NEXT: hl.reduce_window %x "max" window [3, 3] stride [2, 2] low [1, 1] high [1, 1] dilation [1, 1]
  // CHECK-SAME: tensor<8x4x32x32xf32> -> tensor<8x4x16x16xf32>
  %0 = hl.reduce_window %x "max" window [3, 3] stride [2, 2] low [1, 1] high [1, 1] dilation [1, 1]
    : tensor<8x4x32x32xf32> -> tensor<8x4x16x16xf32>
  // CHECK-NEXT: hl.argmax_window %x window [2] stride [2] low [0] high [0] dilation [1]
  // CHECK-SAME: tensor<8x4x32x32xf32> -> tensor<8x4x32x16xi64>
  %1 = hl.argmax_window %x window [2] stride [2] low [0] high [0] dilation [1]
    : tensor<8x4x32x32xf32> -> tensor<8x4x32x16xi64>
  func.return
}

// CHECK-LABEL: func.func @sequence
func.func @sequence(%x: tensor<4x9xf32>) {
  // CHECK-NEXT: hl.cumsum %x along 1 : tensor<4x9xf32>
  %0 = hl.cumsum %x along 1 : tensor<4x9xf32>
  // CHECK-NEXT: hl.cumprod %x along 0 reverse true : tensor<4x9xf32>
  %1 = hl.cumprod %x along 0 reverse true : tensor<4x9xf32>
  // CHECK-NEXT: hl.recurrence %x, %x along 1 : tensor<4x9xf32>
  %2 = hl.recurrence %x, %x along 1 : tensor<4x9xf32>
  // CHECK-NEXT: hl.sort %x along 1 descending true : tensor<4x9xf32> -> tensor<4x9xf32>, tensor<4x9xi64>
  %3, %4 = hl.sort %x along 1 descending true : tensor<4x9xf32> -> tensor<4x9xf32>, tensor<4x9xi64>
  func.return
}
