// RUN: irtool opt %s -p parallelize --split-input-file | filecheck %s

// Much work is shared in multiples of the vector length; a little runs on the first thread, behind a barrier, since it reads
// what others wrote.

// CHECK-LABEL: func.func private @both
// CHECK:         %me = spmd.thread_id : index
// CHECK:         %team = spmd.thread_count : index
// CHECK:         %first = arith.cmpi eq, %me, %c0
// CHECK:         %low = arith.minsi
// CHECK:         %high = arith.minsi
// CHECK:         scf.for %i = %low to %high step %c1 {
// CHECK:         } {parallel, extent = 1000003 : i64, granule = 16 : i64}
// CHECK-NEXT:    spmd.barrier
// CHECK-NEXT:    scf.if %first {
// CHECK-NEXT:      scf.for
// CHECK-NOT:     spmd.barrier
func.func private @both(%x: memref<1000003xf32>, %y: memref<1000003xf32> {irtool.out = 0 : i64},
                        %z: memref<8xf32> {irtool.out = 1 : i64}, %w: memref<8xf32> {irtool.out = 2 : i64})
    attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %n = arith.constant 1000003 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i] : memref<1000003xf32>
    memref.store %a, %y[%i] : memref<1000003xf32>
  } {parallel}
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %y[%i] : memref<1000003xf32>
    memref.store %a, %z[%i] : memref<8xf32>
  } {parallel}
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %z[%i] : memref<8xf32>
    memref.store %a, %w[%i] : memref<8xf32>
  } {parallel}
  func.return
}

// -----

// A barrier would be idle where each thread reads back what it wrote itself.

// CHECK-LABEL: func.func private @own
// CHECK-COUNT-2: scf.for %{{.*}} = %low
// CHECK-NOT:     spmd.barrier
func.func private @own(%x: memref<64x1000xf32>, %y: memref<64x1000xf32> {irtool.out = 0 : i64},
                       %z: memref<64xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c1000 = arith.constant 1000 : index
  scf.for %i = %c0 to %c64 step %c1 {
    scf.for %j = %c0 to %c1000 step %c1 {
      %a = memref.load %x[%i, %j] : memref<64x1000xf32>
      %b = arith.divf %a, %a : f32
      memref.store %b, %y[%i, %j] : memref<64x1000xf32>
    } {parallel}
  } {parallel}
  scf.for %i = %c0 to %c64 step %c1 {
    %s = scf.for %j = %c0 to %c1000 step %c1 iter_args(%acc = %zero) -> (f32) {
      %a = memref.load %y[%i, %j] : memref<64x1000xf32>
      %b = arith.addf %acc, %a : f32
      %d = arith.divf %b, %a : f32
      scf.yield %d : f32
    } {parallel}
    memref.store %s, %z[%i] : memref<64xf32>
  } {parallel}
  func.return
}

// -----

// Three rows are too few for the threads: their columns are shared.

// CHECK-LABEL: func.func private @few_rows
// CHECK:         scf.for %i = %c0 to %c3
// CHECK-NEXT:      memref.load %b[%i]
// CHECK-NEXT:      scf.for %j = %low to %high
func.func private @few_rows(%x: memref<3x100000xf32>, %b: memref<3xf32>,
                            %y: memref<3x100000xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %n = arith.constant 100000 : index
  scf.for %i = %c0 to %c3 step %c1 {
    %k = memref.load %b[%i] : memref<3xf32>
    scf.for %j = %c0 to %n step %c1 {
      %a = memref.load %x[%i, %j] : memref<3x100000xf32>
      %d = arith.addf %a, %k : f32
      memref.store %d, %y[%i, %j] : memref<3x100000xf32>
    } {parallel}
  } {parallel}
  func.return
}

// -----

// What shares itself already stays as it is, wherever it asked who it is; what comes before is shared, and waited for.

// CHECK-LABEL: func.func private @rows_by_index
// CHECK:         scf.for %{{.*}} = %low{{.*}} to %high
// CHECK:         } {parallel, extent = 100000 : i64
// CHECK-NEXT:    spmd.barrier
// CHECK:         arith.divui
// CHECK:         scf.for %{{.*}} = %c0 to %c5
func.func private @rows_by_index(%x: memref<100000xf32> {irtool.out = 0 : i64}, %indices: memref<5xindex>)
    attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %n = arith.constant 100000 : index
  %thread = spmd.thread_id : index
  %threads = spmd.thread_count : index
  scf.for %i = %c0 to %n step %c1 {
    memref.store %zero, %x[%i] : memref<100000xf32>
  } {parallel}
  %scaled = arith.muli %n, %thread : index
  %mine = arith.divui %scaled, %threads : index
  scf.for %j = %c0 to %c5 step %c1 {
    %row = memref.load %indices[%j] : memref<5xindex>
    %owned = arith.cmpi sge, %row, %mine : index
    scf.if %owned {
      memref.store %zero, %x[%row] : memref<100000xf32>
    }
  }
  func.return
}
