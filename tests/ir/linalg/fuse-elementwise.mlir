// RUN: irtool opt %s -p convert-hl-to-linalg,fuse-elementwise --split-input-file | filecheck %s

// Into the consumer, through its map.

// CHECK-LABEL: func.func private @chain
// CHECK-NEXT:  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>]{{.*}} ins(%b, %x :
// CHECK:       math.exp
// CHECK-NEXT:  arith.addf
// CHECK-NOT:   linalg.generic
func.func private @chain(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> attributes {irtool.kernel} {
  %0 = hl.exp %b : tensor<8xf32>
  %1 = hl.broadcast %0 along [1] : tensor<8xf32> -> tensor<4x8xf32>
  %2 = hl.add %x, %1 : tensor<4x8xf32>
  func.return %2 : tensor<4x8xf32>
}

// -----

// What others need stays an output; a reduction takes producers too.

// CHECK-LABEL: func.func private @both
// CHECK:       %[[E:.*]], %[[S:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%out, %{{.*}} : tensor<4x8xf32>, tensor<4xf32>)
// CHECK:       %[[V:.*]] = math.exp
// CHECK-NEXT:  %[[A:.*]] = arith.addf %{{.*}}, %[[V]]
// CHECK-NEXT:  linalg.yield %[[V]], %[[A]]
// CHECK:       func.return %[[E]], %[[S]]
func.func private @both(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4xf32>) attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<4x8xf32>
  %1 = hl.reduce_sum %0 over [1] : tensor<4x8xf32> -> tensor<4xf32>
  func.return %0, %1 : tensor<4x8xf32>, tensor<4xf32>
}

// -----

// Nothing goes into a product or out of it.

// CHECK-LABEL: func.func private @product
// CHECK-COUNT-3: linalg.generic
// CHECK:       func.return
func.func private @product(%x: tensor<4x8xf32>, %y: tensor<8x4xf32>) -> tensor<4x4xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<4x8xf32>
  %1 = hl.matmul %0, %y : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
  %2 = hl.neg %1 : tensor<4x4xf32>
  func.return %2 : tensor<4x4xf32>
}

// -----

// A table must be complete before it is looked up; what follows the lookup joins it.

// CHECK-LABEL: func.func private @table
// CHECK:       %[[T:.*]] = linalg.generic
// CHECK:       math.exp
// CHECK:       linalg.generic
// CHECK:       tensor.extract %[[T]]
// CHECK-NEXT:  arith.negf
func.func private @table(%x: tensor<9xf32>, %i: tensor<4xi64>) -> tensor<4xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<9xf32>
  %1 = hl.gather %0, %i along 0 : tensor<9xf32>, tensor<4xi64> -> tensor<4xf32>
  %2 = hl.neg %1 : tensor<4xf32>
  func.return %2 : tensor<4xf32>
}

// -----

// The consumer runs over a part only, and all of the producer is needed: two ops.

// CHECK-LABEL: func.func private @part
// CHECK-COUNT-2: linalg.generic
// CHECK:       func.return
func.func private @part(%x: tensor<9xf32>) -> (tensor<9xf32>, tensor<4xf32>) attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<9xf32>
  %1 = hl.slice %0 from [0] to [4] by [1] : tensor<9xf32> -> tensor<4xf32>
  %2 = hl.neg %1 : tensor<4xf32>
  func.return %0, %2 : tensor<9xf32>, tensor<4xf32>
}

// -----

// The operand that told how far the loop runs is gone: one that is never read tells it.

// CHECK-LABEL: func.func private @cropped
// CHECK:       %[[F:.*]] = linalg.fill
// CHECK-NEXT:  %[[E:.*]] = tensor.empty() : tensor<3xf32>
// CHECK-NEXT:  linalg.generic {indexing_maps = [affine_map<(d0) -> (((d0 * 2) + 3))>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>]{{.*}} ins(%x, %[[E]] : {{.*}}) outs(%[[F]] :
// CHECK:       math.exp
// CHECK-NOT:   linalg.generic
func.func private @cropped(%x: tensor<9xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<9xf32>
  %1 = hl.slice %0 from [1] to [9] by [2] : tensor<9xf32> -> tensor<4xf32>
  %2 = hl.pad %1 low [-1] high [1] interior [0] with 0.0 : tensor<4xf32>
  func.return %2 : tensor<4xf32>
}

// -----

// What writes only a part of its output leaves the rest as it was: not pulled into a consumer, that reads all.

// CHECK-LABEL: func.func private @padded
// CHECK-COUNT-2: linalg.generic
// CHECK:       func.return
func.func private @padded(%x: tensor<5xf32>) -> tensor<7xf32> attributes {irtool.kernel} {
  %0 = hl.pad %x low [0] high [2] interior [0] with 1.0 : tensor<5xf32> -> tensor<7xf32>
  %1 = hl.neg %0 : tensor<7xf32>
  func.return %1 : tensor<7xf32>
}
