// RUN: irtool opt %s -p contract-blocks | filecheck %s
// RUN: irtool opt %s -p "contract-blocks{tf32=1}" | filecheck %s --check-prefix SINGLE

// Three products of what tensor cores read of the factors, and of what that leaves; else one.
// CHECK:         %rows = memref.alloc() {spmd.space = #spmd<space team>} : memref<2x16x72xf32>
// CHECK:         %sums = memref.alloca() : memref<2x4x4xf32>
// CHECK:         [[BIG:%[0-9a-z_]+]] = gpux.round_to_tf32 [[X:%[0-9a-z_]+]] : f32
// CHECK-NEXT:    memref.store [[BIG]], %big_a[
// CHECK-NEXT:    [[BITS:%[0-9a-z_]+]] = arith.bitcast [[BIG]] : i32 to f32
// CHECK-NEXT:    [[REST:%[0-9a-z_]+]] = arith.subf [[X]], [[BITS]] : f32
// CHECK:         gpux.mma %small_a[%{{.*}}], %big_b[%{{.*}}], %sums[%{{.*}}, %{{.*}}]
// CHECK-NEXT:    gpux.mma %big_a[%{{.*}}], %small_b[%{{.*}}], %sums[%{{.*}}, %{{.*}}]
// CHECK-NEXT:    gpux.mma %big_a[%{{.*}}], %big_b[%{{.*}}], %sums[%{{.*}}, %{{.*}}]
// Sums that are no numbers are computed again, from memory.
// CHECK:         [[LOST:%[0-9a-z_]+]] = arith.cmpf uno,
// CHECK-NEXT:    scf.if [[LOST]] {
// CHECK:           memref.load %x
// CHECK:           memref.store %{{.*}}, %out
// CHECK:         } else {
// CHECK:           memref.load %sums
// CHECK:           memref.store %{{.*}}, %out
// CHECK:         attributes {blocks = 32 : i64, threads = 128 : i64}
// SINGLE-NOT:    small
// SINGLE:        gpux.mma %big_a
// SINGLE-NOT:    gpux.mma
func.func private @matmul(%x: memref<512x40xf32>, %w: memref<256x40xf32>, %out: memref<512x256xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<512x256xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<512x40xf32>, memref<256x40xf32>) outs(%out : memref<512x256xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  }
  func.return
}
