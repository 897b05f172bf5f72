// RUN: irtool opt %s -p parallelize --split-input-file | filecheck %s

// Much work is shared in multiples of the vector length; a little runs on the first thread, behind a barrier, since it reads
// what others wrote.

// CHECK-LABEL: func.func private @both
// CHECK:         %low, %high = spmd.share %n {chunk = 16 : i64} : index
// CHECK:         scf.for %i = %low to %high step %c1 {
// CHECK:         } {parallel}
// CHECK-NEXT:    spmd.barrier
// CHECK-NEXT:    spmd.single {
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

// What shares itself already stays as it is; what comes before is shared, and waited for.

// CHECK-LABEL: func.func private @rows_by_index
// CHECK:         %low, %high = spmd.share %n : index
// CHECK:         scf.for %{{.*}} = %low_1 to %high_1
// CHECK:         } {parallel}
// CHECK-NEXT:    spmd.barrier
// CHECK-NEXT:    scf.for %{{.*}} = %c0 to %c5
// CHECK:           arith.cmpi sge, %{{.*}}, %low : index
func.func private @rows_by_index(%x: memref<100000xf32> {irtool.out = 0 : i64}, %indices: memref<5xindex>)
    attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %n = arith.constant 100000 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.store %zero, %x[%i] : memref<100000xf32>
  } {parallel}
  %low, %high = spmd.share %n : index
  scf.for %j = %c0 to %c5 step %c1 {
    %row = memref.load %indices[%j] : memref<5xindex>
    %above = arith.cmpi sge, %row, %low : index
    %below = arith.cmpi slt, %row, %high : index
    %owned = arith.andi %above, %below : i1
    scf.if %owned {
      memref.store %zero, %x[%row] : memref<100000xf32>
    }
  }
  func.return
}

// -----

// Neighbouring sections are one. The mask is made by all threads, and so drags nothing that stands between its uses into
// what knows of threads: the second loop, which updates %w, is one thread's like the others.

// CHECK-LABEL: func.func private @in_between
// CHECK:         vector.create_mask
// CHECK-NEXT:    spmd.single {
// CHECK:           vector.maskedload
// CHECK:           scf.for
// CHECK:             memref.store %{{.*}}, %w
// CHECK:           vector.maskedstore
// CHECK:         }
// CHECK-NEXT:    func.return
func.func private @in_between(%x: memref<8xf32>, %w: memref<8xf32> {irtool.out = 0 : i64},
                              %y: memref<8xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zeros = arith.constant dense<0.0> : vector<16xf32>
  %buffer = memref.alloc() : memref<8xf32>
  %mask = vector.create_mask %c8 : vector<16xi1>
  spmd.single {
    %a = vector.maskedload %x[%c0], %mask, %zeros : memref<8xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
    vector.maskedstore %buffer[%c0], %mask, %a : memref<8xf32>, vector<16xi1>, vector<16xf32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
    %b = memref.load %w[%i] : memref<8xf32>
    %c = arith.addf %a, %b : f32
    memref.store %c, %w[%i] : memref<8xf32>
  } {parallel}
  spmd.single {
    %a = vector.maskedload %buffer[%c0], %mask, %zeros : memref<8xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
    vector.maskedstore %y[%c0], %mask, %a : memref<8xf32>, vector<16xi1>, vector<16xf32>
  }
  func.return
}

// -----

// A load that others use on both sides of shared work cannot move to either: all threads run it. It waits for who writes
// what it reads, and what is small beside it is one thread's.

// CHECK-LABEL: func.func private @around_shared_work
// CHECK:         spmd.single {
// CHECK-NEXT:      memref.store %{{.*}}, %s[]
// CHECK-NEXT:    }
// CHECK-NEXT:    spmd.barrier
// CHECK-NEXT:    %k = memref.load %s[]
// CHECK-NEXT:    spmd.single {
// CHECK-NEXT:      memref.store %k, %y[%c0]
// CHECK-NEXT:    }
// CHECK-NEXT:    scf.for %{{.*}} = %low to %high
// CHECK:         spmd.barrier
// CHECK-NEXT:    spmd.single {
// CHECK-NEXT:      memref.store %k, %x[%c0]
func.func private @around_shared_work(%x: memref<100xf32> {irtool.out = 0 : i64}, %s: memref<f32> {irtool.out = 1 : i64},
                                      %y: memref<1xf32> {irtool.out = 2 : i64}) attributes {irtool.kernel} {
  %one = arith.constant 1.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %low, %high = spmd.share %c100 : index
  memref.store %one, %s[] : memref<f32>
  %k = memref.load %s[] : memref<f32>
  memref.store %k, %y[%c0] : memref<1xf32>
  scf.for %i = %low to %high step %c1 {
    memref.store %one, %x[%i] : memref<100xf32>
  }
  memref.store %k, %x[%c0] : memref<100xf32>
  func.return
}
