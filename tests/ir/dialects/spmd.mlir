// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @team
func.func @team(%x: memref<4x4xf32>) {
  // CHECK-NEXT: spmd.parallel {
  spmd.parallel {
    // CHECK-NEXT: %me = spmd.thread_id : index
    %me = spmd.thread_id : index
    // CHECK-NEXT: %team = spmd.thread_count : index
    %team = spmd.thread_count : index
    // CHECK-NEXT: spmd.barrier
    spmd.barrier
    // CHECK-NEXT: spmd.prefetch %x[%me, %team] : memref<4x4xf32>
    spmd.prefetch %x[%me, %team] : memref<4x4xf32>
    // CHECK-NEXT: spmd.prefetch %x[%me, %me] {write = true} : memref<4x4xf32>
    spmd.prefetch %x[%me, %me] {write = true} : memref<4x4xf32>
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: spmd.parallel {
  // CHECK-NEXT: } attributes {note = "empty"}
  spmd.parallel {
  } attributes {note = "empty"}
  func.return
}
