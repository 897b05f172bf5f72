// RUN: irtool opt %s -p dce --split-input-file | filecheck %s

// CHECK-LABEL: func.func @dead
// CHECK-NEXT:  func.return
func.func @dead(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = hl.exp %x : tensor<4xf32>
  %1 = hl.variable %0 : tensor<4xf32>
  %2 = hl.reduce_sum %1 over [0] : tensor<4xf32> -> tensor<f32>
  func.return %x : tensor<4xf32>
}

// -----

// Loads and buffers that nobody asks for go, empty loops too; stores stay.

// CHECK-LABEL: func.func @memory
// CHECK-NOT:     memref.load
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     scf.for
// CHECK:         memref.store
// CHECK-NEXT:    spmd.barrier
// CHECK-NEXT:    func.return
func.func @memory(%x: memref<8xf32>, %i: index, %n: index, %v: f32) {
  %one = arith.constant 1 : index
  %0 = memref.load %x[%i] : memref<8xf32>
  %1 = memref.alloc() : memref<8xf32>
  scf.for %j = %i to %n step %one {
    %2 = memref.load %x[%j] : memref<8xf32>
    %3 = arith.addf %2, %0 : f32
  }
  memref.store %v, %x[%i] : memref<8xf32>
  spmd.barrier
  func.return
}
