// RUN: irtool opt %s -p split-reductions --split-input-file | filecheck %s

// 64 chunks of 15625 rounds: how many there are follows from the shape alone.

// CHECK-LABEL: func.func private @total
// CHECK:         %[[P:.*]] = tensor.empty() : tensor<64xf32>
// CHECK:         %[[N:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%[[P]] : tensor<64xf32>)
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<15625xf32>
// CHECK:         %[[C:.*]] = linalg.generic
// CHECK-SAME:      iterator_types = ["reduction", "parallel"]
// CHECK-SAME:      ins(%x, %[[E]] : tensor<1000000xf32>, tensor<15625xf32>) outs(%[[N]] : tensor<64xf32>)
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["reduction"]
// CHECK-SAME:      ins(%[[C]] : tensor<64xf32>) outs(%{{.*}} : tensor<f32>)
// CHECK-NOT:     linalg.generic
func.func private @total(%x: tensor<1000000xf32>, %out: tensor<f32> {irtool.out = 0 : i64}) -> tensor<f32>
    attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<f32>) -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<1000000xf32>) outs(%0 : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.addf %acc, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  func.return %1 : tensor<f32>
}

// -----

// A prime extent leaves a rest, which is added last.

// CHECK-LABEL: func.func private @rest
// CHECK-COUNT-3: linalg.generic
func.func private @rest(%x: tensor<1000003xf32>, %out: tensor<f32> {irtool.out = 0 : i64}) -> tensor<f32>
    attributes {irtool.kernel} {
  %ninf = arith.constant 0xff800000 : f32
  %0 = linalg.fill ins(%ninf : f32) outs(%out : tensor<f32>) -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<1000003xf32>) outs(%0 : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.maximumf %acc, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  func.return %1 : tensor<f32>
}

// -----

// Left as they are: little work, enough results to share, sums of products for the contraction engine.

// CHECK-LABEL: func.func private @unsplit
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT:     linalg.generic
func.func private @unsplit(%x: tensor<100x10xf32>, %y: tensor<2000x2000xf32>, %w: tensor<2000xf32>,
                           %a: tensor<10xf32> {irtool.out = 0 : i64}, %b: tensor<2000xf32> {irtool.out = 1 : i64},
                           %c: tensor<2000xf32> {irtool.out = 2 : i64})
    -> (tensor<10xf32>, tensor<2000xf32>, tensor<2000xf32>) attributes {irtool.kernel} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                       iterator_types = ["reduction", "parallel"]} ins(%x : tensor<100x10xf32>) outs(%a : tensor<10xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %s = arith.addf %acc, %v : f32
    linalg.yield %s : f32
  } -> tensor<10xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                       iterator_types = ["reduction", "parallel"]} ins(%y : tensor<2000x2000xf32>) outs(%b : tensor<2000xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %s = arith.addf %acc, %v : f32
    linalg.yield %s : f32
  } -> tensor<2000xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>],
                       iterator_types = ["reduction", "parallel"]}
      ins(%y, %w : tensor<2000x2000xf32>, tensor<2000xf32>) outs(%c : tensor<2000xf32>) {
  ^bb0(%v: f32, %u: f32, %acc: f32):
    %p = arith.mulf %v, %u : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<2000xf32>
  func.return %0, %1, %2 : tensor<10xf32>, tensor<2000xf32>, tensor<2000xf32>
}

// -----

// The body counts the rounds of the loop as before: of each chunk, and of the rest.

// CHECK-LABEL: func.func private @numbered
// CHECK:         linalg.generic
// CHECK:           %[[C:.*]] = linalg.index 1 : index
// CHECK:           %[[S:.*]] = arith.muli %[[C]], %{{.*}} : index
// CHECK:           %[[I:.*]] = linalg.index 0 : index
// CHECK:           %[[N:.*]] = arith.addi %[[S]], %[[I]] : index
// CHECK:           arith.index_cast %[[N]] : index to i64
// CHECK:         linalg.generic
// CHECK:         linalg.generic
// CHECK:           %[[J:.*]] = linalg.index 0 : index
// CHECK:           %[[R:.*]] = arith.addi %[[J]], %{{.*}} : index
// CHECK:           arith.index_cast %[[R]] : index to i64
func.func private @numbered(%x: tensor<1000003xi64>, %out: tensor<i64> {irtool.out = 0 : i64}) -> tensor<i64>
    attributes {irtool.kernel} {
  %zero = arith.constant 0 : i64
  %0 = linalg.fill ins(%zero : i64) outs(%out : tensor<i64>) -> tensor<i64>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<1000003xi64>) outs(%0 : tensor<i64>) {
  ^bb0(%a: i64, %acc: i64):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %p = arith.muli %a, %n : i64
    %s = arith.addi %acc, %p : i64
    linalg.yield %s : i64
  } -> tensor<i64>
  func.return %1 : tensor<i64>
}
