// RUN: irtool opt %s -p cleanup --split-input-file | filecheck %s

// Two equal ops of two loops meet once they are out of them.

// CHECK-LABEL: func.func @f
// CHECK-COUNT-1: arith.muli
// CHECK-NOT:     arith.muli
// CHECK-NOT:     arith.subi
func.func @f(%x: memref<8xf32>, %n: index, %v: f32) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  scf.for %i = %zero to %n step %one {
    %a = arith.muli %n, %n : index
    %dead = arith.subi %a, %i : index
    memref.store %v, %x[%a] : memref<8xf32>
  }
  scf.for %i = %zero to %n step %one {
    %a = arith.muli %n, %n : index
    memref.store %v, %x[%a] : memref<8xf32>
  }
  func.return
}
