// RUN: irtool opt %s -p lower-linalg --split-input-file | filecheck %s

// A reduction accumulates in a register that starts from the fill, and stores once. Its loop is inside of the parallel one.

// CHECK-LABEL: func.func private @sum_rows
// CHECK-NOT:     linalg
// CHECK:         scf.for %i = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK-NEXT:      %[[S:.*]] = scf.for %j = {{.*}} iter_args(%acc = %zero) -> (f32) {
// CHECK-NEXT:        %[[A:.*]] = memref.load %x[%i, %j]
// CHECK-NEXT:        %[[B:.*]] = arith.addf %acc, %[[A]] : f32
// CHECK-NEXT:        scf.yield %[[B]] : f32
// CHECK-NEXT:      } {parallel}
// CHECK-NEXT:      memref.store %[[S]], %s[%i]
// CHECK-NEXT:    } {parallel}
func.func private @sum_rows(%x: memref<64x10xf32>, %s: memref<64xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<64xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<64x10xf32>) outs(%s : memref<64xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %b = arith.addf %acc, %a : f32
    linalg.yield %b : f32
  }
  func.return
}

// -----

// The loop with unit stride goes innermost; what does not depend on it is computed outside of it.

// CHECK-LABEL: func.func private @transposed
// CHECK:         scf.for %[[J:.*]] = %{{.*}} to %c8
// CHECK-NEXT:      %[[V:.*]] = memref.load %v[%[[J]]]
// CHECK-NEXT:      %[[R:.*]] = math.sqrt %[[V]]
// CHECK-NEXT:      scf.for %[[I:.*]] = %{{.*}} to %c4
// CHECK-NEXT:        memref.load %x[%[[J]], %[[I]]]
// CHECK-NEXT:        arith.mulf
// CHECK-NEXT:        memref.store %{{.*}}, %y[%[[J]], %[[I]]]
func.func private @transposed(%x: memref<8x4xf32>, %v: memref<8xf32>,
                              %y: memref<8x4xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (j, i)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %v : memref<8x4xf32>, memref<8xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = math.sqrt %b : f32
    %c = arith.mulf %a, %r : f32
    linalg.yield %c : f32
  }
  func.return
}

// -----

// Any affine map: a reversed input, an output at an offset. Several outputs are carried together. A loop of one round is
// no loop.

// CHECK-LABEL: func.func private @argmax
// CHECK:         %[[I:.*]] = arith.muli %k, %{{.*}} : index
// CHECK-NEXT:    %[[J:.*]] = arith.addi %[[I]], %{{.*}} : index
// CHECK-NEXT:    memref.load %x[%[[J]]]
// CHECK:         scf.yield %{{.*}}, %{{.*}} : f32, i64
// CHECK:         memref.store %{{.*}}, %best[%c2]
// CHECK:         memref.store %{{.*}}, %place[%c0]
func.func private @argmax(%x: memref<9xf32>, %best: memref<3xf32> {irtool.out = 0 : i64},
                          %place: memref<1xi64> {irtool.out = 1 : i64}, %one: memref<1xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (-k + 8)>, affine_map<(i, j, k) -> (j)>,
                                   affine_map<(i, j, k) -> (k)>,
                                   affine_map<(i, j, k) -> (i + 2)>, affine_map<(i, j, k) -> (i)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %one, %x : memref<9xf32>, memref<1xf32>, memref<9xf32>) outs(%best, %place : memref<3xf32>, memref<1xi64>) {
  ^bb0(%a: f32, %unused: f32, %unused2: f32, %m: f32, %p: i64):
    %k = linalg.index 2 : index
    %here = arith.index_cast %k : index to i64
    %larger = arith.cmpf ogt, %a, %m : f32
    %m1 = arith.select %larger, %a, %m : f32
    %p1 = arith.select %larger, %here, %p : i64
    linalg.yield %m1, %p1 : f32, i64
  }
  func.return
}

// -----

// Duplicated indices add up: the loop over them is not parallel, and only rows that exist are touched.

// CHECK-LABEL: func.func private @scatter
// CHECK:         scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK-NEXT:      memref.load %indices[%[[I]]]
// CHECK-NEXT:      %[[ROW:.*]] = arith.index_cast
// CHECK-NEXT:      arith.cmpi sge, %[[ROW]]
// CHECK-NEXT:      arith.cmpi slt, %[[ROW]]
// CHECK-NEXT:      %[[OWNED:.*]] = arith.andi
// CHECK-NEXT:      scf.if %[[OWNED]] {
// CHECK:             memref.store %{{.*}}, %base[%[[ROW]], %{{.*}}]
// CHECK-NEXT:      } {parallel}
// CHECK-NEXT:      }
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return
func.func private @scatter(%indices: memref<5xi64>, %updates: memref<5x8xf32>,
                           %base: memref<100x8xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalgx.scatter_add axis 0 batch_dims 0
    ins(%indices, %updates : memref<5xi64>, memref<5x8xf32>) outs(%base : memref<100x8xf32>)
  func.return
}

// -----

// With many updates each thread takes a range of rows.

// CHECK-LABEL: func.func private @scatter_many
// CHECK:         %low, %high = spmd.share %{{.*}} : index
// CHECK:         arith.cmpi sge, %{{.*}}, %low
// CHECK:         arith.cmpi slt, %{{.*}}, %high
func.func private @scatter_many(%indices: memref<5000xi64>, %updates: memref<5000x8xf32>,
                                %base: memref<100x8xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalgx.scatter_add axis 0 batch_dims 0
    ins(%indices, %updates : memref<5000xi64>, memref<5000x8xf32>) outs(%base : memref<100x8xf32>)
  func.return
}
