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

// -----

// The first largest of each chunk, then the first largest of these; a sum beside it.

// CHECK-LABEL: func.func private @place
// CHECK-COUNT-3: linalg.fill ins(%{{.*}}) outs(%{{.*}} : tensor<64x
// CHECK:         [[B:%[0-9]+]], [[W:%[0-9]+]], [[S:%[0-9]+]] = linalg.generic
// CHECK:         linalg.generic
// CHECK-SAME:      ins([[B]], [[W]], [[S]] : tensor<64xi64>, tensor<64xi64>, tensor<64xi64>)
// CHECK-NEXT:    ^bb0([[X:%[0-9]+]]: i64, [[Y:%[0-9]+]]: i64, [[Z:%[0-9]+]]: i64, [[P:%[0-9]+]]: i64, [[Q:%[0-9]+]]: i64, [[R:%[0-9]+]]: i64):
// CHECK-NEXT:      [[T:%[a-z0-9_]+]] = arith.addi [[R]], [[Z]]
// CHECK-NEXT:      [[C:%[a-z0-9_]+]] = arith.cmpi sgt, [[X]], [[P]]
// CHECK-NEXT:      [[N:%[a-z0-9_]+]] = arith.select [[C]], [[X]], [[P]]
// CHECK-NEXT:      [[M:%[a-z0-9_]+]] = arith.select [[C]], [[Y]], [[Q]]
func.func private @place(%x: tensor<1000000xi64>, %best: tensor<i64> {irtool.out = 0 : i64},
                         %place: tensor<i64> {irtool.out = 1 : i64}, %sum: tensor<i64> {irtool.out = 2 : i64})
    -> (tensor<i64>, tensor<i64>, tensor<i64>) attributes {irtool.kernel} {
  %zero = arith.constant 0 : i64
  %0 = linalg.fill ins(%zero : i64) outs(%best : tensor<i64>) -> tensor<i64>
  %1 = linalg.fill ins(%zero : i64) outs(%place : tensor<i64>) -> tensor<i64>
  %2 = linalg.fill ins(%zero : i64) outs(%sum : tensor<i64>) -> tensor<i64>
  %3:3 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>,
                                          affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<1000000xi64>) outs(%0, %1, %2 : tensor<i64>, tensor<i64>, tensor<i64>) {
  ^bb0(%v: i64, %b: i64, %w: i64, %s: i64):
    %better = arith.cmpi sgt, %v, %b : i64
    %i = linalg.index 0 : index
    %here = arith.index_cast %i : index to i64
    %n = arith.select %better, %v, %b : i64
    %m = arith.select %better, %here, %w : i64
    %t = arith.addi %s, %v : i64
    linalg.yield %n, %m, %t : i64, i64, i64
  } -> (tensor<i64>, tensor<i64>, tensor<i64>)
  func.return %3#0, %3#1, %3#2 : tensor<i64>, tensor<i64>, tensor<i64>
}
