// RUN: irtool opt %s -p map-blocks | filecheck %s

// Long rows that lie in order: a block takes a row, its threads the elements in turn.
// CHECK-LABEL: func.func private @rows
// CHECK:         spmd.parallel {
// CHECK-NEXT:      %block = "gpu.block_id"()
// CHECK-NEXT:      %thread = "gpu.thread_id"()
// CHECK-NEXT:      [[ROW:%[0-9a-z_]+]] = memref.alloc() {spmd.space = #spmd<space team>} : memref<300xf32>
// CHECK-NEXT:      [[PART:%[0-9a-z_]+]] = scf.for %j = %thread to %{{.*}} step %{{.*}} iter_args(
// CHECK:             memref.store %{{.*}}, [[ROW]][%j]
// CHECK:           [[MAX:%[0-9a-z_]+]] = gpux.reduce maximumf [[PART]] : f32
// CHECK-NEXT:      scf.for %j_1 = %thread
// CHECK-NEXT:        memref.load [[ROW]][%j_1]
// CHECK:           spmd.single {
// CHECK-NEXT:        memref.store [[MAX]], %m[%block]
// CHECK-NEXT:      } attributes {scope = #spmd<scope block>}
// CHECK-NEXT:    } attributes {blocks = 64 : i64, threads = 256 : i64}
func.func private @rows(%x: memref<64x300xf32>, %y: memref<64x300xf32>, %m: memref<64xf32>) attributes {irtool.kernel} {
  %low = arith.constant 0xff800000 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c300 = arith.constant 300 : index
  scf.for %i = %c0 to %c64 step %c1 {
    %row = memref.alloca() : memref<300xf32>
    %max = scf.for %j = %c0 to %c300 step %c1 iter_args(%a = %low) -> (f32) {
      %v = memref.load %x[%i, %j] : memref<64x300xf32>
      %n = arith.maximumf %a, %v : f32
      memref.store %v, %row[%j] : memref<300xf32>
      scf.yield %n : f32
    } {parallel}
    scf.for %j = %c0 to %c300 step %c1 {
      %v = memref.load %row[%j] : memref<300xf32>
      %s = arith.subf %v, %max : f32
      memref.store %s, %y[%i, %j] : memref<64x300xf32>
    } {parallel}
    memref.store %max, %m[%i] : memref<64xf32>
  } {parallel}
  func.return
}

// Columns: a thread takes one, so that neighbours read neighbouring memory. What is scalar belongs to one block, and what
// it computes comes to the launch that needs it through memory.
// CHECK-LABEL: func.func private @columns
// CHECK:         [[HOME:%[0-9a-z_]+]] = memref.alloc() {alignment = 64 : i64} : memref<f32>
// CHECK:         spmd.parallel {
// CHECK:           [[SUM:%[0-9a-z_]+]] = gpux.reduce add
// CHECK:           spmd.single {
// CHECK-NEXT:        memref.store [[SUM]], [[HOME]][]
// CHECK:         } attributes {blocks = 1 : i64, threads = 512 : i64}
// CHECK-NEXT:    spmd.parallel {
// CHECK-NEXT:      [[B:%[0-9a-z_]+]] = "gpu.block_id"()
// CHECK-NEXT:      [[T:%[0-9a-z_]+]] = "gpu.thread_id"()
// CHECK-NEXT:      [[S:%[0-9a-z_]+]] = memref.load [[HOME]][]
// CHECK-NEXT:      [[FIRST:%[0-9a-z_]+]] = arith.muli [[B]], %{{.*}}
// CHECK-NEXT:      [[J:%[0-9a-z_]+]] = arith.addi [[FIRST]], [[T]]
// CHECK-NEXT:      [[IN:%[0-9a-z_]+]] = arith.cmpi slt, [[J]], %{{.*}}
// CHECK-NEXT:      scf.if [[IN]] {
// CHECK:             scf.for %i = %{{.*}} to %{{.*}} step
// CHECK:             arith.mulf %{{.*}}, [[S]]
// CHECK:         } attributes {blocks = 16 : i64, threads = 32 : i64}
func.func private @columns(%x: memref<100x500xf32>, %w: memref<500xf32>, %y: memref<500xf32>) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %c500 = arith.constant 500 : index
  %scale = scf.for %k = %c0 to %c500 step %c1 iter_args(%a = %zero) -> (f32) {
    %v = memref.load %w[%k] : memref<500xf32>
    %n = arith.addf %a, %v : f32
    scf.yield %n : f32
  } {parallel}
  scf.for %j = %c0 to %c500 step %c1 {
    %sum = scf.for %i = %c0 to %c100 step %c1 iter_args(%a = %zero) -> (f32) {
      %v = memref.load %x[%i, %j] : memref<100x500xf32>
      %n = arith.addf %a, %v : f32
      scf.yield %n : f32
    } {parallel}
    %r = arith.mulf %sum, %scale : f32
    memref.store %r, %y[%j] : memref<500xf32>
  } {parallel}
  func.return
}

// What one thread writes and another reads has a barrier between; the loops of a nest are one range of points.
// CHECK-LABEL: func.func private @small
// CHECK:           scf.for %point = %thread
// CHECK:           arith.remui %point
// CHECK:         }
// CHECK-NEXT:    spmd.barrier {scope = #spmd<scope block>}
// CHECK-NEXT:    [[V:%[0-9a-z_]+]] = memref.load %t[
// CHECK-NEXT:    spmd.single {
// CHECK-NEXT:      memref.store [[V]], %y[]
func.func private @small(%x: memref<4x8xf32>, %t: memref<4x8xf32>, %y: memref<f32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c4 step %c1 {
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %x[%i, %j] : memref<4x8xf32>
      memref.store %v, %t[%i, %j] : memref<4x8xf32>
    } {parallel}
  } {parallel}
  %v = memref.load %t[%c1, %c1] : memref<4x8xf32>
  memref.store %v, %y[] : memref<f32>
  func.return
}

// Rows that workers share are divided among the blocks, each of which goes through all updates.
// CHECK-LABEL: func.func private @scatter
// CHECK:         [[B:%[0-9a-z_]+]] = "gpu.block_id"()
// CHECK:         %low = arith.minsi
// CHECK:         %high = arith.minsi
// CHECK:         scf.for %i =
// CHECK:           scf.if
// CHECK-NEXT:        scf.for %q = %thread
// CHECK:         } attributes {blocks = 216 : i64, threads = 64 : i64}
func.func private @scatter(%rows: memref<5000xindex>, %u: memref<5000x64xf32>, %base: memref<1000x64xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c1000 = arith.constant 1000 : index
  %c5000 = arith.constant 5000 : index
  %low, %high = spmd.share %c1000 : index
  scf.for %i = %c0 to %c5000 step %c1 {
    %row = memref.load %rows[%i] : memref<5000xindex>
    %after = arith.cmpi sge, %row, %low : index
    %before = arith.cmpi slt, %row, %high : index
    %own = arith.andi %after, %before : i1
    scf.if %own {
      scf.for %q = %c0 to %c64 step %c1 {
        %new = memref.load %u[%i, %q] : memref<5000x64xf32>
        %old = memref.load %base[%row, %q] : memref<1000x64xf32>
        %sum = arith.addf %old, %new : f32
        memref.store %sum, %base[%row, %q] : memref<1000x64xf32>
      } {parallel}
    }
  }
  func.return
}

// The largest of a row with its place: threads begin with what the loop begins with.
// CHECK-LABEL: func.func private @place
// CHECK:         [[P:%[0-9a-z_]+]], [[Q:%[0-9a-z_]+]] = scf.for %j = %thread to %{{.*}} step %{{.*}} iter_args(%{{.*}} = %low, %{{.*}} = %zero)
// CHECK:         [[M:%[0-9a-z_]+]], [[W:%[0-9a-z_]+]] = gpux.reduce first_maximumf [[P]], [[Q]] : f32, i64
// CHECK:         memref.store [[W]], %y[%block]
func.func private @place(%x: memref<64x300xf32>, %y: memref<64xi64>) attributes {irtool.kernel} {
  %low = arith.constant 0xff800000 : f32
  %zero = arith.constant 0 : i64
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c300 = arith.constant 300 : index
  scf.for %i = %c0 to %c64 step %c1 {
    %best, %where = scf.for %j = %c0 to %c300 step %c1 iter_args(%a = %low, %b = %zero) -> (f32, i64) {
      %v = memref.load %x[%i, %j] : memref<64x300xf32>
      %larger = arith.cmpf ogt, %v, %a : f32
      %unknown = arith.cmpf uno, %v, %v : f32
      %known = arith.cmpf oeq, %a, %a : f32
      %first = arith.andi %unknown, %known : i1
      %better = arith.ori %larger, %first : i1
      %here = arith.index_cast %j : index to i64
      %n = arith.select %better, %v, %a : f32
      %w = arith.select %better, %here, %b : i64
      scf.yield %n, %w : f32, i64
    } {parallel}
    memref.store %where, %y[%i] : memref<64xi64>
  } {parallel}
  func.return
}

// A running sum: chunks of as many elements as there are threads, which a scan combines; the chunks before come on top.
// What the threads behind the end of the row give changes nothing.
// CHECK-LABEL: func.func private @running
// CHECK:         [[LAST:%[0-9a-z_]+]] = scf.for %chunk = %c1 to %c1000 step %{{.*}} iter_args([[SUM:%[0-9a-z_]+]] = %first) -> (f64) {
// CHECK-NEXT:      %k = arith.addi %chunk, %thread
// CHECK-NEXT:      [[IN:%[0-9a-z_]+]] = arith.cmpi slt, %k, %c1000
// CHECK-NEXT:      [[V:%[0-9a-z_]+]] = scf.if [[IN]] -> (f64) {
// CHECK-NEXT:        [[X:%[0-9a-z_]+]] = memref.load %x[%block, %k]
// CHECK-NEXT:        scf.yield [[X]] : f64
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %{{.*}} : f64
// CHECK-NEXT:      }
// CHECK-NEXT:      [[UPTO:%[0-9a-z_]+]], [[ALL:%[0-9a-z_]+]] = gpux.scan add [[V]] : f64
// CHECK-NEXT:      [[NEXT:%[0-9a-z_]+]] = arith.addf [[SUM]], [[UPTO]]
// CHECK-NEXT:      [[TOTAL:%[0-9a-z_]+]] = arith.addf [[SUM]], [[ALL]]
// CHECK-NEXT:      scf.if [[IN]] {
// CHECK-NEXT:        memref.store [[NEXT]], %y[%block, %k]
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield [[TOTAL]]
// CHECK:         memref.store [[LAST]], %s[%block]
func.func private @running(%x: memref<64x1000xf64>, %y: memref<64x1000xf64>, %s: memref<64xf64>)
    attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c1000 = arith.constant 1000 : index
  scf.for %i = %c0 to %c64 step %c1 {
    %first = memref.load %x[%i, %c0] : memref<64x1000xf64>
    %last = scf.for %k = %c1 to %c1000 step %c1 iter_args(%sum = %first) -> (f64) {
      %v = memref.load %x[%i, %k] : memref<64x1000xf64>
      %next = arith.addf %sum, %v : f64
      memref.store %next, %y[%i, %k] : memref<64x1000xf64>
      scf.yield %next : f64
    } {scan}
    memref.store %last, %s[%i] : memref<64xf64>
  } {parallel}
  func.return
}

// A recurrence: pairs of a factor and a summand.
// CHECK-LABEL: func.func private @recurrence
// CHECK:         [[P:%[0-9a-z_]+]], [[Q:%[0-9a-z_]+]], [[R:%[0-9a-z_]+]], [[S:%[0-9a-z_]+]] = gpux.scan recurrence %{{.*}}, %{{.*}} : f64, f64
// CHECK-NEXT:    [[A:%[0-9a-z_]+]] = arith.mulf [[P]], [[Y:%[0-9a-z_]+]]
// CHECK-NEXT:    arith.addf [[A]], [[Q]]
// CHECK-NEXT:    [[B:%[0-9a-z_]+]] = arith.mulf [[R]], [[Y]]
// CHECK-NEXT:    arith.addf [[B]], [[S]]
func.func private @recurrence(%a: memref<1000xf64>, %x: memref<1000xf64>, %y: memref<1000xf64>)
    attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  %first = memref.load %x[%c0] : memref<1000xf64>
  %last = scf.for %k = %c1 to %c1000 step %c1 iter_args(%before = %first) -> (f64) {
    %f = memref.load %a[%k] : memref<1000xf64>
    %v = memref.load %x[%k] : memref<1000xf64>
    %p = arith.mulf %f, %before : f64
    %next = arith.addf %p, %v : f64
    memref.store %next, %y[%k] : memref<1000xf64>
    scf.yield %next : f64
  } {scan}
  func.return
}
