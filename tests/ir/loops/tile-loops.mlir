// RUN: irtool opt %s -p "tile-loops{longest_untiled=16}" --split-input-file | filecheck %s

// Reads along one dimension, writes along the other: tiles of 16 by 16, the last ones smaller.

// CHECK-LABEL: func.func private @transpose
// CHECK:         scf.for %i = %c0 to %[[TILES:.*]] step %c1 {
// CHECK-NEXT:      %[[I0:.*]] = arith.muli %i, %c16
// CHECK-NEXT:      scf.for %j = %c0 to %{{.*}} step %c1 {
// CHECK-NEXT:        %[[J0:.*]] = arith.muli %j, %c16
// CHECK-NEXT:        %[[LEFT:.*]] = arith.subi %c40, %[[J0]]
// CHECK-NEXT:        %[[WIDTH:.*]] = arith.minsi %c16, %[[LEFT]]
// CHECK-NEXT:        scf.for %[[I1:.*]] = %c0 to %c16 step %c1 {
// CHECK-NEXT:          %[[I:.*]] = arith.addi %[[I0]], %[[I1]]
// CHECK-NEXT:          scf.for %[[J1:.*]] = %c0 to %[[WIDTH]] step %c1 {
// CHECK-NEXT:            %[[J:.*]] = arith.addi %[[J0]], %[[J1]]
// CHECK-NEXT:            %[[A:.*]] = memref.load %x[%[[J]], %[[I]]]
// CHECK-NEXT:            memref.store %[[A]], %y[%[[I]], %[[J]]]
func.func private @transpose(%x: memref<40x32xf32>, %y: memref<32x40xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %c40 = arith.constant 40 : index
  scf.for %i = %c0 to %c32 step %c1 {
    scf.for %j = %c0 to %c40 step %c1 {
      %a = memref.load %x[%j, %i] : memref<40x32xf32>
      memref.store %a, %y[%i, %j] : memref<32x40xf32>
    } {parallel}
  } {parallel}
  func.return
}

// -----

// All accesses run along the inner loop: there is nothing to gain.

// CHECK-LABEL: func.func private @copy
// CHECK-COUNT-2: scf.for
// CHECK-NOT:     scf.for
func.func private @copy(%x: memref<32x40xf32>, %y: memref<32x41xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %c40 = arith.constant 40 : index
  scf.for %i = %c0 to %c32 step %c1 {
    scf.for %j = %c0 to %c40 step %c1 {
      %a = memref.load %x[%i, %j] : memref<32x40xf32>
      memref.store %a, %y[%i, %j] : memref<32x41xf32>
    } {parallel}
  } {parallel}
  func.return
}
