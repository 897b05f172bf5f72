// RUN: irtool opt %s -p convert-hl-to-linalg --split-input-file | filecheck %s

// A reduction starts from a filled destination; results come in arguments of their own.

// CHECK-LABEL: func.func private @reduce
// CHECK-SAME:    (%[[X:.*]]: tensor<4x8xf32>, %[[A:.*]]: tensor<4xf32> {irtool.out = 0 : i64}, %[[B:.*]]: tensor<4xf32> {irtool.out = 1 : i64}, %[[C:.*]]: tensor<f32> {irtool.out = 2 : i64}) -> (tensor<4xf32>, tensor<4xf32>, tensor<f32>) attributes {irtool.kernel}
// CHECK:       %[[LOW:.*]] = arith.constant 0xff800000 : f32
// CHECK:       %[[F:.*]] = linalg.fill ins(%[[LOW]] : f32) outs(%[[A]] : tensor<4xf32>)
// CHECK-NEXT:  %[[R:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%[[X]] : tensor<4x8xf32>) outs(%[[F]] : tensor<4xf32>)
// CHECK:       arith.maximumf
// CHECK:       arith.addf
// CHECK:       iterator_types = ["reduction"]
// CHECK:       arith.mulf
// CHECK:       func.return %[[R]], %{{.*}}, %{{.*}}
func.func private @reduce(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<f32>) attributes {irtool.kernel} {
  %0 = hl.reduce_max %x over [1] : tensor<4x8xf32> -> tensor<4xf32>
  %1 = hl.reduce_sum %x over [1] : tensor<4x8xf32> -> tensor<4xf32>
  %2 = hl.reduce_prod %1 over [0] : tensor<4xf32> -> tensor<f32>
  func.return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<f32>
}

// -----

// Carries the best value and its index; the first NaN wins.

// CHECK-LABEL: func.func private @argmax
// CHECK:       linalg.generic {{.*}} outs(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xi64>)
// CHECK:       arith.cmpf ogt
// CHECK:       arith.cmpf uno
// CHECK:       linalg.index 1
// CHECK:       } -> (tensor<4xf32>, tensor<4xi64>)
func.func private @argmax(%x: tensor<4x8xf32>) -> tensor<4xi64> attributes {irtool.kernel} {
  %0 = hl.argmax %x over 1 : tensor<4x8xf32> -> tensor<4xi64>
  func.return %0 : tensor<4xi64>
}

// -----

// A transpose is an indexing map.

// CHECK-LABEL: func.func private @matmul
// CHECK:       linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-NOT:   linalg.generic
func.func private @matmul(%x: tensor<2x4x8xf32>, %y: tensor<2x5x8xf32>) -> tensor<2x4x5xf32> attributes {irtool.kernel} {
  %0 = hl.transpose %y [0, 2, 1] : tensor<2x5x8xf32> -> tensor<2x8x5xf32>
  %1 = hl.matmul %x, %0 : tensor<2x4x8xf32>, tensor<2x8x5xf32> -> tensor<2x4x5xf32>
  func.return %1 : tensor<2x4x5xf32>
}

// -----

// Indices out of range are clamped; the table is read from the body.

// CHECK-LABEL: func.func private @gather
// CHECK:       linalg.generic {{.*}} ins(%[[I:.*]] : tensor<4xi64>)
// CHECK:       arith.maxsi
// CHECK:       arith.minsi
// CHECK:       tensor.extract %{{.*}}[%{{.*}}, %{{.*}}] : tensor<9x3xf32>
func.func private @gather(%x: tensor<9x3xf32>, %i: tensor<4xi64>) -> tensor<4x3xf32> attributes {irtool.kernel} {
  %0 = hl.gather %x, %i along 0 : tensor<9x3xf32>, tensor<4xi64> -> tensor<4x3xf32>
  func.return %0 : tensor<4x3xf32>
}

// -----

// Onto an argument that is updated in place: nothing is copied.

// CHECK-LABEL: func.func private @scatter
// CHECK-SAME:    (%[[X:.*]]: tensor<9x3xf32> {irtool.out = 0 : i64}, %[[I:.*]]: tensor<4xi64>, %[[U:.*]]: tensor<4x3xf32>) -> tensor<9x3xf32>
// CHECK-NEXT:  linalgx.scatter_add axis 0 batch_dims 0 ins(%[[I]], %[[U]] : tensor<4xi64>, tensor<4x3xf32>) outs(%[[X]] : tensor<9x3xf32>)
func.func private @scatter(%x: tensor<9x3xf32> {irtool.tied = 0 : i64}, %i: tensor<4xi64>, %u: tensor<4x3xf32>)
    -> tensor<9x3xf32> attributes {irtool.kernel} {
  %0 = hl.scatter_add %x, %i, %u along 0 : tensor<9x3xf32>, tensor<4xi64>, tensor<4x3xf32> -> tensor<9x3xf32>
  func.return %0 : tensor<9x3xf32>
}

// -----

// Around, between and cropped: all in the maps.

// CHECK-LABEL: func.func private @pad
// CHECK:       %[[F:.*]] = linalg.fill
// CHECK:       linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, (d1 + 1))>, affine_map<(d0, d1) -> (((d0 * 2) + 1), d1)>]{{.*}} outs(%[[F]] : tensor<8x6xf32>)
func.func private @pad(%x: tensor<4x8xf32>) -> tensor<8x6xf32> attributes {irtool.kernel} {
  %0 = hl.pad %x low [1, -1] high [0, -1] interior [1, 0] with 2.0 : tensor<4x8xf32> -> tensor<8x6xf32>
  func.return %0 : tensor<8x6xf32>
}

// -----

// One op after the other writes its part.

// CHECK-LABEL: func.func private @concat
// CHECK:       %[[A:.*]] = linalg.generic {{.*}} ins(%x : tensor<4x8xf32>) outs(%out : tensor<6x8xf32>)
// CHECK:       linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ((d0 + 4), d1)>]{{.*}} outs(%[[A]] : tensor<6x8xf32>)
func.func private @concat(%x: tensor<4x8xf32>, %y: tensor<2x8xf32>) -> tensor<6x8xf32> attributes {irtool.kernel} {
  %0 = hl.concat %x, %y along 0 : tensor<4x8xf32>, tensor<2x8xf32> -> tensor<6x8xf32>
  func.return %0 : tensor<6x8xf32>
}

// -----

// Reverse and slice are one map; what a number of an index is, is computed from the index.

// CHECK-LABEL: func.func private @views
// CHECK-NEXT:  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (((d0 * -1) + 3), ((d1 * 3) + 2))>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK:       linalg.index 1
// CHECK:       arith.sitofp
// CHECK:       arith.mulf
func.func private @views(%x: tensor<4x8xf32>) -> tensor<4x2xf32> attributes {irtool.kernel} {
  %0 = hl.reverse %x along [0] : tensor<4x8xf32>
  %1 = hl.slice %0 from [0, 2] to [4, 8] by [1, 3] : tensor<4x8xf32> -> tensor<4x2xf32>
  %2 = hl.iota along 1 : tensor<4x2xf32>
  %3 = hl.mul %1, %2 : tensor<4x2xf32>
  func.return %3 : tensor<4x2xf32>
}

// -----

// No operand's extent says how far this reduction runs: one that is never read does.

// CHECK-LABEL: func.func private @extent
// CHECK:       %[[E:.*]] = tensor.empty() : tensor<7xf32>
// CHECK-NEXT:  linalg.generic {indexing_maps = [affine_map<(d0) -> ((d0 + 3))>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x, %[[E]] : tensor<10xf32>, tensor<7xf32>)
func.func private @extent(%x: tensor<10xf32>) -> tensor<f32> attributes {irtool.kernel} {
  %0 = hl.slice %x from [3] to [10] by [1] : tensor<10xf32> -> tensor<7xf32>
  %1 = hl.reduce_sum %0 over [0] : tensor<7xf32> -> tensor<f32>
  func.return %1 : tensor<f32>
}

// -----

// Elements are numbered in row-major order; ten rounds, no loop.

// CHECK-LABEL: func.func private @bits
// CHECK:       affine_map<(d0, d1) -> (0)>, affine_map<(d0, d1) -> (1)>
// CHECK:       %[[ROW:.*]] = linalg.index 0
// CHECK-NEXT:  %[[FIRST:.*]] = arith.muli %[[ROW]]
// CHECK-NEXT:  %[[COLUMN:.*]] = linalg.index 1
// CHECK-NEXT:  arith.addi %[[FIRST]], %[[COLUMN]]
func.func private @bits(%s: tensor<2xi64>) -> tensor<3x5xi32> attributes {irtool.kernel} {
  %0 = hl.random_bits %s : tensor<2xi64> -> tensor<3x5xi32>
  func.return %0 : tensor<3x5xi32>
}

// -----

// Destinations in the host: a tied argument is its own, state that may be overwritten takes its new value, what is left
// gets a fresh tensor.

// CHECK-LABEL: func.func @host
// CHECK-NEXT:  %[[E:.*]] = tensor.empty() : tensor<4xf32>
// CHECK-NEXT:  %[[W:.*]], %[[N:.*]] = func.call @k(%w, %[[E]])
// CHECK:       tensor.reshape %[[N]]
// CHECK-NEXT:  %[[V:.*]] = func.call @copy(%[[W]], %v)
// CHECK-NEXT:  func.return %[[W]], %[[V]], %{{.*}}
func.func @host(%w: tensor<4xf32> {irtool.result = 0 : i64}, %v: tensor<4xf32> {irtool.result = 1 : i64})
    -> (tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>) {
  %0, %1 = func.call @k(%w) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %2 = hl.reshape %1 : tensor<4xf32> -> tensor<2x2xf32>
  %3 = func.call @copy(%0) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %0, %3, %2 : tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>
}
func.func private @k(%w: tensor<4xf32> {irtool.tied = 0 : i64}) -> (tensor<4xf32>, tensor<4xf32>) attributes {irtool.kernel} {
  %0 = hl.exp %w : tensor<4xf32>
  %1 = hl.neg %w : tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
func.func private @copy(%x: tensor<4xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  func.return %x : tensor<4xf32>
}
