// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @team
func.func @team(%x: memref<4x4xf32>) {
  // CHECK-NEXT: spmd.parallel {
  spmd.parallel {
    // CHECK-NEXT: %me = spmd.thread_id : index
    %me = spmd.thread_id : index
    // CHECK-NEXT: %team = spmd.thread_count : index
    %team = spmd.thread_count : index
    // CHECK-NEXT: %low, %high = spmd.share %team : index
    %low, %high = spmd.share %team : index
    // CHECK-NEXT: %{{.*}}, %{{.*}} = spmd.share %team {chunk = 16 : i64} : index
    %low16, %high16 = spmd.share %team {chunk = 16 : i64} : index
    // CHECK-NEXT: spmd.single {
    // CHECK-NEXT:   spmd.prefetch
    // CHECK-NEXT: }
    spmd.single {
      spmd.prefetch %x[%low, %high] : memref<4x4xf32>
    }
    // CHECK-NEXT: spmd.barrier
    spmd.barrier
    // CHECK-NEXT: spmd.barrier {scope = #spmd<scope block>}
    spmd.barrier {scope = #spmd<scope block>}
    // CHECK-NEXT: spmd.barrier{{$}}
    spmd.barrier {scope = #spmd<scope grid>}
    // CHECK-NEXT: %{{.*}}, %{{.*}} = spmd.share %team {chunk = 4 : i64, scope = #spmd<scope block>} : index
    %low4, %high4 = spmd.share %team {chunk = 4 : i64, scope = #spmd<scope block>} : index
    // CHECK-NEXT: spmd.single {
    // CHECK-NEXT: } attributes {scope = #spmd<scope block>}
    spmd.single {
    } attributes {scope = #spmd<scope block>}
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
  // CHECK-NEXT: spmd.parallel {
  // CHECK-NEXT: } attributes {scope = #spmd<scope block>, note = "one block"}
  spmd.parallel {
  } attributes {scope = #spmd<scope block>, note = "one block"}
  func.return
}

// CHECK-LABEL: func.func @errors
func.func @errors(%r: memref<3xi64>, %errors: memref<3xi64>, %t: tensor<3xi64>) {
  // CHECK-NEXT: spmd.stop_on_error %r into %errors {first} : memref<3xi64>, memref<3xi64>
  spmd.stop_on_error %r into %errors {first} : memref<3xi64>, memref<3xi64>
  // CHECK-NEXT: spmd.stop_on_error %t into %t : tensor<3xi64>, tensor<3xi64>
  spmd.stop_on_error %t into %t : tensor<3xi64>, tensor<3xi64>
  func.return
}

// CHECK-LABEL: func.func @spaces
func.func @spaces() {
  // CHECK-NEXT: memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  %t = memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  // CHECK-NEXT: memref.alloc() {spmd.space = #spmd<space global>} : memref<8xf32>
  %g = memref.alloc() {spmd.space = #spmd<space global>} : memref<8xf32>
  // CHECK-NEXT: memref.alloca() {spmd.space = #spmd<space private>} : memref<8xf32>
  %p = memref.alloca() {spmd.space = #spmd<space private>} : memref<8xf32>
  func.return
}
