// RUN: irtool opt %s -p hoist-invariants --split-input-file | filecheck %s

// What does not depend on the loop moves out of it, out of both loops if it can; a division stays.

// CHECK-LABEL: func.func @nest
// CHECK-SAME:    (%[[X:.*]]: memref<8xf32>{{.*}}, %[[N:[a-z0-9]+]]: index
// CHECK:         %[[A:.*]] = arith.muli %[[N]], %[[N]]
// CHECK:         scf.for %[[I:.*]] =
// CHECK-NEXT:      %[[B:.*]] = arith.addi %[[A]], %[[I]]
// CHECK-NEXT:      scf.for
// CHECK-NEXT:        arith.divui %[[N]], %[[N]]
func.func @nest(%x: memref<8xf32>, %n: index, %v: f32) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  scf.for %i = %zero to %n step %one {
    scf.for %j = %zero to %n step %one {
      %a = arith.muli %n, %n : index
      %b = arith.addi %a, %i : index
      %c = arith.divui %n, %n : index
      %d = arith.addi %b, %c : index
      %e = arith.addi %d, %j : index
      memref.store %v, %x[%e] : memref<8xf32>
    }
  }
  func.return
}

// -----

// A load moves where the loop surely runs and does not write its buffer.

// CHECK-LABEL: func.func @loads
// CHECK:         memref.load %x[%zero]
// CHECK-NEXT:    scf.for
// CHECK-NEXT:      memref.load %y[%zero]
// CHECK:         scf.for
// CHECK-NEXT:      memref.load %x[%zero]
func.func @loads(%x: memref<8xf32>, %y: memref<8xf32>, %n: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %eight = arith.constant 8 : index
  scf.for %i = %zero to %eight step %one {
    %a = memref.load %x[%zero] : memref<8xf32>
    %b = memref.load %y[%zero] : memref<8xf32>
    %c = arith.addf %a, %b : f32
    memref.store %c, %y[%i] : memref<8xf32>
  }
  scf.for %i = %zero to %n step %one {
    %a = memref.load %x[%zero] : memref<8xf32>
    memref.store %a, %y[%i] : memref<8xf32>
  }
  func.return
}
