// RUN: irtool opt %s -p cse --split-input-file --print-debuginfo | filecheck %s

// Equal ops become one that names both lines; operands of a commutative op have no order.

// CHECK-LABEL: func.func @equal
// CHECK-SAME:    (%[[X:.*]]: tensor<4xf32>{{.*}}, %[[Y:.*]]: tensor<4xf32>
// CHECK-NEXT:  %[[A:.*]] = hl.add %[[X]], %[[Y]] : tensor<4xf32> loc(fused["a.py":1:0, "a.py":7:0])
// CHECK-NEXT:  %[[B:.*]] = hl.mul %[[A]], %[[A]]
// CHECK-NEXT:  %[[C:.*]] = hl.sub %[[X]], %[[Y]]
// CHECK-NEXT:  %[[D:.*]] = hl.sub %[[Y]], %[[X]]
// CHECK-NEXT:  func.return %[[B]], %[[C]], %[[D]]
func.func @equal(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = hl.add %x, %y : tensor<4xf32> loc("a.py":1:0)
  %1 = hl.add %y, %x : tensor<4xf32> loc("a.py":7:0)
  %2 = hl.mul %0, %1 : tensor<4xf32>
  %3 = hl.sub %x, %y : tensor<4xf32>
  %4 = hl.sub %y, %x : tensor<4xf32>
  func.return %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// Other attributes, other op; a barrier hides what was computed before.

// CHECK-LABEL: func.func @different
// CHECK-COUNT-2: hl.reduce_sum
// CHECK:         hl.exp
// CHECK:         hl.barrier
// CHECK:         hl.exp
func.func @different(%x: tensor<4x4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = hl.reduce_sum %x over [0] : tensor<4x4xf32> -> tensor<4xf32>
  %1 = hl.reduce_sum %x over [1] : tensor<4x4xf32> -> tensor<4xf32>
  %2 = hl.exp %x : tensor<4x4xf32>
  %3 = hl.barrier %x : tensor<4x4xf32>
  %4 = hl.exp %3 : tensor<4x4xf32>
  func.return %0, %1, %2, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A load is the same until somebody writes to its buffer. Another buffer does not matter.

// CHECK-LABEL: func.func @loads
// CHECK:         %[[A:.*]] = memref.load %x[%i]
// CHECK-NEXT:    memref.store %[[A]], %y[%i]
// CHECK-NEXT:    memref.store %[[A]], %x[%i]
// CHECK-NEXT:    %[[B:.*]] = memref.load %x[%i]
// CHECK-NEXT:    memref.store %[[B]], %y[%i]
// CHECK-NEXT:    return
func.func @loads(%x: memref<8xf32>, %y: memref<8xf32>, %i: index) {
  %0 = memref.load %x[%i] : memref<8xf32>
  memref.store %0, %y[%i] : memref<8xf32>
  %1 = memref.load %x[%i] : memref<8xf32>
  memref.store %1, %x[%i] : memref<8xf32>
  %2 = memref.load %x[%i] : memref<8xf32>
  memref.store %2, %y[%i] : memref<8xf32>
  func.return
}

// -----

// What a loop writes, its next round may read; what is known before it is known inside.

// CHECK-LABEL: func.func @loop
// CHECK:         memref.load %x[%i]
// CHECK:         memref.load %y[%i]
// CHECK:         scf.for
// CHECK-NEXT:      memref.load %x[%i]
// CHECK-NOT:       memref.load
// CHECK:           memref.store
func.func @loop(%x: memref<8xf32>, %y: memref<8xf32>, %i: index, %n: index) {
  %one = arith.constant 1 : index
  %0 = memref.load %x[%i] : memref<8xf32>
  %1 = memref.load %y[%i] : memref<8xf32>
  scf.for %j = %i to %n step %one {
    %2 = memref.load %x[%i] : memref<8xf32>
    %3 = memref.load %y[%i] : memref<8xf32>
    %4 = arith.addf %2, %3 : f32
    %5 = arith.addf %0, %1 : f32
    %6 = arith.addf %4, %5 : f32
    memref.store %6, %x[%i] : memref<8xf32>
  }
  func.return
}

// -----

// After a barrier of the team, memory may hold anything. Two tensor.empty stay two.

// CHECK-LABEL: func.func @team
// CHECK-COUNT-2: memref.load
// CHECK-COUNT-2: tensor.empty
func.func @team(%x: memref<8xf32>, %i: index) -> (f32, f32, tensor<4xf32>, tensor<4xf32>) {
  %0 = memref.load %x[%i] : memref<8xf32>
  spmd.barrier
  %1 = memref.load %x[%i] : memref<8xf32>
  %2 = tensor.empty() : tensor<4xf32>
  %3 = tensor.empty() : tensor<4xf32>
  func.return %0, %1, %2, %3 : f32, f32, tensor<4xf32>, tensor<4xf32>
}
