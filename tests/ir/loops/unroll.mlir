// RUN: irtool opt %s -p unroll | filecheck %s

// Inner loops first; loops that run longer, or are marked for the C compiler, stay.

// CHECK-LABEL: func.func private @window
// CHECK:         scf.for %i
// CHECK-NEXT:      %[[A:.*]] = memref.load %x[%{{.*}}, %i]
// CHECK-NEXT:      %[[B:.*]] = arith.addf %zero, %[[A]]
// CHECK-NEXT:      %[[C:.*]] = memref.load %x[%{{.*}}, %i]
// CHECK-NEXT:      %[[D:.*]] = arith.addf %[[B]], %[[C]]
// CHECK-NEXT:      memref.store %[[D]], %y[%i]
// CHECK:         scf.for %{{.*}} {
// CHECK:         } {unroll}
func.func private @window(%x: memref<2x64xf32>, %y: memref<64xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %c64 step %c1 {
    %s = scf.for %k = %c0 to %c2 step %c1 iter_args(%acc = %zero) -> (f32) {
      %a = memref.load %x[%k, %i] : memref<2x64xf32>
      %b = arith.addf %acc, %a : f32
      scf.yield %b : f32
    } {parallel}
    memref.store %s, %y[%i] : memref<64xf32>
  } {parallel}
  scf.for %k = %c0 to %c2 step %c1 {
    memref.store %zero, %y[%k] : memref<64xf32>
  } {unroll}
  func.return
}
