// RUN: irtool opt %s -p "contract-blocks{tensor_cores=0}" | filecheck %s

// Edges are ragged: what is outside of the matrices reads as zero and is not written. The epilogue has no memory.
// CHECK-LABEL: func.func private @matmul_add
// CHECK:         spmd.parallel {
// CHECK:           %rows = memref.alloc() {spmd.space = #spmd<space team>} : memref<2x16x68xf32>
// CHECK:           %columns = memref.alloc() {spmd.space = #spmd<space team>} : memref<2x16x68xf32>
// CHECK:           %sums = memref.alloca() : memref<4x4xf32>
// CHECK:           spmd.barrier {scope = #spmd<scope block>}
// CHECK:           scf.for %k = %{{.*}} to %{{.*}} step
// CHECK:             arith.cmpi slt, %{{.*}}, %{{.*}} : index
// CHECK:             arith.mulf
// CHECK:             memref.store %{{.*}}, %sums
// CHECK:             spmd.barrier {scope = #spmd<scope block>}
// CHECK:           memref.load %bias
// CHECK:           memref.store %{{.*}}, %out[%{{.*}}, %{{.*}}] : memref<514x500xf32>
// CHECK:         } attributes {blocks = 72 : i64, threads = 256 : i64}
// CHECK-NOT:     linalg
func.func private @matmul_add(%x: memref<514x130xf32>, %w: memref<500x130xf32>, %bias: memref<500xf32>, %out: memref<514x500xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<514x500xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<514x500xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<514x130xf32>, memref<500x130xf32>) outs(%t : memref<514x500xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]} ins(%t, %bias : memref<514x500xf32>, memref<500xf32>) outs(%out : memref<514x500xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  func.return
}

// Little of the output, much of K: its parts are for blocks of their own, and loops add them up.
// CHECK-LABEL: func.func private @deep
// CHECK:         %parts = memref.alloc() {{.*}}: memref<8x64x64xf32>
// CHECK:         spmd.parallel {
// CHECK:           memref.store %{{.*}}, %parts[
// CHECK:         scf.for
// CHECK-NEXT:      scf.for
// CHECK-NEXT:        scf.for %part = %{{.*}} to %{{.*}} step %{{.*}} iter_args(
// CHECK:             memref.load %parts[%part,
// CHECK:           memref.store %{{.*}}, %out[
func.func private @deep(%x: memref<64x2048xf32>, %w: memref<64x2048xf32>, %out: memref<64x64xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<64x64xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<64x2048xf32>, memref<64x2048xf32>) outs(%out : memref<64x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  }
  func.return
}
