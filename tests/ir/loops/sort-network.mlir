// RUN: irtool opt %s -p 'lower-linalg' | filecheck %s --check-prefix CPU
// RUN: irtool opt %s --pipeline cuda --stop-after loops | filecheck %s

// On a CPU, a thread merges runs of a row. On a GPU, the threads of a block share each round of a network.

// CPU-LABEL: func.func private @rows
// CPU:         memref.alloc() {alignment = 64 : i64} : memref<64x1000xf32>

// CHECK-LABEL: func.func private @rows
// CHECK:         spmd.parallel {
// CHECK:           [[V:%[0-9a-z_]+]] = memref.alloc() {spmd.space = #spmd<space team>} : memref<1000xf32>
// CHECK-NEXT:      [[P:%[0-9a-z_]+]] = memref.alloc() {spmd.space = #spmd<space team>} : memref<1000xi32>
// CHECK-NEXT:      scf.for {{.*}} = %thread to
// CHECK:           spmd.barrier {scope = #spmd<scope block>}
// CHECK-NEXT:      scf.for
// CHECK:             scf.for {{.*}} iter_args([[DISTANCE:%[0-9a-z_]+]] = %{{.*}}, [[MASK:%[0-9a-z_]+]] = %{{.*}})
// CHECK:               scf.for [[T:%[0-9a-z_]+]] = %thread to
// CHECK:                 [[BELOW:%[0-9a-z_]+]] = arith.andi [[T]], %{{.*}}
// CHECK:                 [[FIRST:%[0-9a-z_]+]] = arith.subi %{{.*}}, [[BELOW]]
// CHECK-NEXT:            [[SECOND:%[0-9a-z_]+]] = arith.xori [[FIRST]], [[MASK]]
// CHECK:               spmd.barrier {scope = #spmd<scope block>}
// CHECK:         } attributes {blocks = 64 : i64, threads = 256 : i64}
func.func private @rows(%x: memref<64x1000xf32>, %v: memref<64x1000xf32> {irtool.out = 0},
                        %p: memref<64x1000xi64> {irtool.out = 1}) attributes {irtool.kernel} {
  linalgx.sort dimension 1 ins(%x : memref<64x1000xf32>) outs(%v, %p : memref<64x1000xf32>, memref<64x1000xi64>)
  func.return
}

// A row of 9000: chunks of 4096 by blocks; then launches for the rounds across chunks, and blocks again for those within.
// CHECK-LABEL: func.func private @long
// CHECK:         attributes {blocks = 3 : i64
// CHECK:         memref.load %v[
// CHECK:         attributes {blocks =
// CHECK:         attributes {blocks = 3 : i64
// CHECK:         attributes {blocks =
// CHECK:         attributes {blocks =
// CHECK:         attributes {blocks = 3 : i64
// CHECK-NOT:     spmd.parallel
func.func private @long(%x: memref<9000xf32>, %v: memref<9000xf32> {irtool.out = 0},
                        %p: memref<9000xi64> {irtool.out = 1}) attributes {irtool.kernel} {
  linalgx.sort dimension 0 ins(%x : memref<9000xf32>) outs(%v, %p : memref<9000xf32>, memref<9000xi64>)
  func.return
}

func.func @f(%x: memref<64x1000xf32>, %w: memref<9000xf32>, %v: memref<64x1000xf32> {irtool.out = 0},
             %p: memref<64x1000xi64> {irtool.out = 1}, %u: memref<9000xf32> {irtool.out = 2},
             %q: memref<9000xi64> {irtool.out = 3}) {
  func.call @rows(%x, %v, %p) : (memref<64x1000xf32>, memref<64x1000xf32>, memref<64x1000xi64>) -> ()
  func.call @long(%w, %u, %q) : (memref<9000xf32>, memref<9000xf32>, memref<9000xi64>) -> ()
  func.return
}
