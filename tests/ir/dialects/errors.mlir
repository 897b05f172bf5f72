// RUN: not irtool opt %s --split-input-file 2>&1 | filecheck %s

// CHECK: expected 2 indices for memref<4x4xf32>, given 1
func.func @prefetch(%x: memref<4x4xf32>, %i: index) {
  spmd.prefetch %x[%i] : memref<4x4xf32>
  func.return
}

// -----

// CHECK: expected updates of shape [5, 8] for base [10, 8], indices [5], axis 0, batch_dims 0; given [5, 7]
func.func @updates(%i: memref<5xi64>, %u: memref<5x7xf32>, %b: memref<10x8xf32>) {
  linalgx.scatter_add axis 0 batch_dims 0 ins(%i, %u : memref<5xi64>, memref<5x7xf32>) outs(%b : memref<10x8xf32>)
  func.return
}

// -----

// CHECK: expected 0 <= batch_dims <= axis < 2, given batch_dims 0, axis 2
func.func @axis(%i: memref<5xi64>, %u: memref<5x8xf32>, %b: memref<10x8xf32>) {
  linalgx.scatter_add axis 2 batch_dims 0 ins(%i, %u : memref<5xi64>, memref<5x8xf32>) outs(%b : memref<10x8xf32>)
  func.return
}

// -----

// CHECK: expected integer indices, given memref<5xf32>
func.func @indices(%i: memref<5xf32>, %u: memref<5x8xf32>, %b: memref<10x8xf32>) {
  linalgx.scatter_add axis 0 batch_dims 0 ins(%i, %u : memref<5xf32>, memref<5x8xf32>) outs(%b : memref<10x8xf32>)
  func.return
}

// -----

// CHECK: expected a kind of sum, product, recurrence, given mean
func.func @kind(%x: memref<5xf32>, %y: memref<5xf32>) {
  linalgx.cumulate mean dimension 0 ins(%x : memref<5xf32>) outs(%y : memref<5xf32>)
  func.return
}

// -----

// CHECK: expected 2 inputs of the output's type
func.func @inputs(%x: memref<5xf32>, %y: memref<5xf32>) {
  linalgx.cumulate recurrence dimension 0 ins(%x : memref<5xf32>) outs(%y : memref<5xf32>)
  func.return
}

// -----

// CHECK: expected a dimension below 1, given 1
func.func @dimension(%x: memref<5xf32>, %y: memref<5xf32>, %i: memref<5xi64>) {
  linalgx.sort dimension 1 ins(%x : memref<5xf32>) outs(%y, %i : memref<5xf32>, memref<5xi64>)
  func.return
}

// -----

// CHECK: expected one of {{.*}}slt
func.func @predicate(%i: vector<16xi32>) {
  %m = vectorx.cmpi lower, %i, %i : vector<16xi32>
  func.return
}

// -----

// CHECK: expected as many lanes as vector<16xf32> has, given vector<8xf64>
func.func @convert(%a: vector<16xf32>) {
  %w = vectorx.extf %a : vector<16xf32> to vector<8xf64>
  func.return
}

// -----

// CHECK: expected 2 indices for memref<64x48xf32>, given 1
func.func @places(%x: memref<40x64xf32>, %y: memref<64x48xf32>, %i: index) {
  vectorx.transpose %x[%i, %i], %y[%i], %i, %i {step = 64, to_step = 48, lanes = 16} : memref<40x64xf32>, memref<64x48xf32>
  func.return
}

// -----

// CHECK: expected a power of two as the number of lanes, given 12
func.func @square(%x: memref<40x64xf32>, %y: memref<64x48xf32>, %i: index) {
  vectorx.transpose %x[%i, %i], %y[%i, %i], %i, %i {step = 64, to_step = 48, lanes = 12} : memref<40x64xf32>, memref<64x48xf32>
  func.return
}

// -----

// CHECK: expected a record of errors, 3 elements of i64, given memref<4xi64>
func.func @errors(%r: memref<4xi64>, %errors: memref<3xi64>) {
  spmd.stop_on_error %r into %errors : memref<4xi64>, memref<3xi64>
  func.return
}

// -----

// CHECK: expected a kind of outside, outside_but, zero, given inside
func.func @refused(%s: memref<i64>, %x: memref<4xi64>, %r: memref<3xi64>) {
  linalgx.record inside low 0 high 1 allowed 0 number 1 ins(%s, %x : memref<i64>, memref<4xi64>) outs(%r : memref<3xi64>)
  func.return
}

// -----

// CHECK: expected 2 of each thread for first_maxsi, given 1
func.func @pairs(%x: i64) {
  %0 = gpux.reduce first_maxsi %x : i64
  func.return
}

// -----

// CHECK: given median
func.func @kind(%x: i64) {
  %0, %1 = gpux.scan median %x : i64
  func.return
}
