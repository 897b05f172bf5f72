// RUN: irtool opt %s -p lower-linalg,collapse-loops --split-input-file | filecheck %s

// CHECK-LABEL: func.func private @copy
// CHECK-DAG:     %[[X:.*]] = memref.collapse_shape %x {{.*}} into memref<240xf32>
// CHECK-DAG:     %[[Y:.*]] = memref.collapse_shape %y {{.*}} into memref<240xf32>
// CHECK-NOT:     memref.collapse_shape
// CHECK:         scf.for %[[I:.*]] = %{{.*}} to %c240 step
// CHECK-NEXT:      %[[A:.*]] = memref.load %[[X]][%[[I]]]
// CHECK-NEXT:      memref.store %[[A]], %[[Y]][%[[I]]]
// CHECK-NOT:     scf.for
func.func private @copy(%x: memref<6x4x10xf32>, %y: memref<6x4x10xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c240 = arith.constant 240 : index
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<6x4x10xf32>) outs(%y : memref<6x4x10xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  func.return
}

// -----

// A bias along the last two dimensions: only those collapse.

// CHECK-LABEL: func.func private @bias
// CHECK-DAG:     memref.collapse_shape %x {{.*}} into memref<6x40xf32>
// CHECK-DAG:     memref.collapse_shape %b {{.*}} into memref<40xf32>
// CHECK:         scf.for
// CHECK-NEXT:      scf.for
// CHECK-NOT:     scf.for
func.func private @bias(%x: memref<6x4x10xf32>, %b: memref<4x10xf32>,
                        %y: memref<6x4x10xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (j, k)>,
                                   affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %b : memref<6x4x10xf32>, memref<4x10xf32>) outs(%y : memref<6x4x10xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %r = arith.addf %a, %c : f32
    linalg.yield %r : f32
  }
  func.return
}

// -----

// A reduction over everything is one loop as well.

// CHECK-LABEL: func.func private @total
// CHECK:         scf.for {{.*}} iter_args
// CHECK-NOT:     scf.for
func.func private @total(%x: memref<8x8xf32>, %s: memref<f32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>],
                  iterator_types = ["reduction", "reduction"]} ins(%x : memref<8x8xf32>) outs(%s : memref<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  }
  func.return
}
