// RUN: irtool opt %s -p fuse-loops --split-input-file | filecheck %s

// The row's sum becomes a value, the row a buffer of one iteration.

// CHECK-LABEL: func.func private @rows
// CHECK-NOT:     memref.alloc(
// CHECK:         scf.for %i
// CHECK-NEXT:      %e = memref.alloca() : memref<10xf32>
// CHECK-NEXT:      %[[S:.*]] = scf.for %j = {{.*}} iter_args
// CHECK-NEXT:        %[[A:.*]] = memref.load %x[%i, %j]
// CHECK-NEXT:        %[[B:.*]] = math.absf %[[A]]
// CHECK-NEXT:        memref.store %[[B]], %e[%j]
// CHECK-NEXT:        arith.addf %{{.*}}, %[[B]]
// CHECK:           scf.for
// CHECK-NEXT:        memref.load %e
// CHECK-NEXT:        arith.divf %{{.*}}, %[[S]]
// CHECK-NOT:     scf.for
// CHECK:         func.return
func.func private @rows(%x: memref<64x10xf32>, %y: memref<64x10xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c64 = arith.constant 64 : index
  %e = memref.alloc() : memref<64x10xf32>
  %s = memref.alloc() : memref<64xf32>
  scf.for %i = %c0 to %c64 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %a = memref.load %x[%i, %j] : memref<64x10xf32>
      %b = math.absf %a : f32
      memref.store %b, %e[%i, %j] : memref<64x10xf32>
    } {parallel}
  } {parallel}
  scf.for %i = %c0 to %c64 step %c1 {
    %sum = scf.for %j = %c0 to %c10 step %c1 iter_args(%acc = %zero) -> (f32) {
      %a = memref.load %e[%i, %j] : memref<64x10xf32>
      %b = arith.addf %acc, %a : f32
      scf.yield %b : f32
    } {parallel}
    memref.store %sum, %s[%i] : memref<64xf32>
  } {parallel}
  scf.for %i = %c0 to %c64 step %c1 {
    %t = memref.load %s[%i] : memref<64xf32>
    scf.for %j = %c0 to %c10 step %c1 {
      %a = memref.load %e[%i, %j] : memref<64x10xf32>
      %b = arith.divf %a, %t : f32
      memref.store %b, %y[%i, %j] : memref<64x10xf32>
    } {parallel}
  } {parallel}
  func.return
}

// -----

// The second loop reads what other iterations of the first wrote.

// CHECK-LABEL: func.func private @neighbours
// CHECK-COUNT-2: scf.for
func.func private @neighbours(%x: memref<64xf32>, %y: memref<64xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c63 = arith.constant 63 : index
  %t = memref.alloc() : memref<64xf32>
  scf.for %i = %c0 to %c63 step %c1 {
    %a = memref.load %x[%i] : memref<64xf32>
    memref.store %a, %t[%i] : memref<64xf32>
  } {parallel}
  scf.for %i = %c0 to %c63 step %c1 {
    %k = arith.addi %i, %c1 : index
    %a = memref.load %t[%k] : memref<64xf32>
    memref.store %a, %y[%i] : memref<64xf32>
  } {parallel}
  func.return
}

// -----

// What stands between two loops moves in front of both, unless it needs the first one.

// CHECK-LABEL: func.func private @between
// CHECK:         memref.load %k[]
// CHECK-NEXT:    scf.for
// CHECK-NOT:     scf.for
func.func private @between(%x: memref<64xf32>, %k: memref<f32>, %y: memref<64xf32> {irtool.out = 0 : i64},
                           %z: memref<64xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %c64 step %c1 {
    %a = memref.load %x[%i] : memref<64xf32>
    memref.store %a, %y[%i] : memref<64xf32>
  } {parallel}
  %f = memref.load %k[] : memref<f32>
  scf.for %i = %c0 to %c64 step %c1 {
    %a = memref.load %x[%i] : memref<64xf32>
    %b = arith.mulf %a, %f : f32
    memref.store %b, %z[%i] : memref<64xf32>
  } {parallel}
  func.return
}

// -----

// The same share of the same threads may become one loop; another share, or what all run, stays by itself.

// CHECK-LABEL: func.func private @shares
// CHECK:         scf.for %i = %low to %high
// CHECK:           memref.store %{{.*}}, %y[%i]
// CHECK:           memref.store %{{.*}}, %z[%i]
// CHECK:         }
// CHECK-NEXT:    scf.for %{{.*}} = %low16 to %high16
// CHECK:         }
// CHECK-NEXT:    scf.for %{{.*}} = %c0 to %n
func.func private @shares(%x: memref<1000xf32>, %y: memref<1000xf32> {irtool.out = 0 : i64},
                          %z: memref<1000xf32> {irtool.out = 1 : i64}, %w: memref<1000xf32> {irtool.out = 2 : i64})
    attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 1000 : index
  %local = memref.alloca() : memref<1000xf32>
  %low, %high = spmd.share %n : index
  %low16, %high16 = spmd.share %n {chunk = 16 : i64} : index
  scf.for %i = %low to %high step %c1 {
    %a = memref.load %x[%i] : memref<1000xf32>
    memref.store %a, %y[%i] : memref<1000xf32>
  } {parallel}
  scf.for %i = %low to %high step %c1 {
    %a = memref.load %y[%i] : memref<1000xf32>
    memref.store %a, %z[%i] : memref<1000xf32>
  } {parallel}
  scf.for %i = %low16 to %high16 step %c1 {
    %a = memref.load %x[%i] : memref<1000xf32>
    memref.store %a, %w[%i] : memref<1000xf32>
  } {parallel}
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i] : memref<1000xf32>
    memref.store %a, %local[%i] : memref<1000xf32>
  } {parallel}
  func.return
}
