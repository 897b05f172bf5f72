// RUN: irtool opt %s -p insert-bounds-checks --split-input-file | filecheck %s

// What is proved stays as it is: counters, tiles, shares, clamps, remainders, conditions.

// CHECK-LABEL: @proved
// CHECK-NOT:   bounds.check
func.func private @proved(%x: memref<100xf32>, %n: memref<8xi64>, %v: f32) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c16 = arith.constant 16 : index
  %c99 = arith.constant 99 : index
  %c100 = arith.constant 100 : index
  scf.for %i = %c0 to %c100 step %c16 {
    %far = arith.addi %i, %c16 : index
    %end = arith.minsi %far, %c100 : index
    scf.for %j = %i to %end step %c1 {
      memref.store %v, %x[%j] : memref<100xf32>
    }
  }
  %low, %high = spmd.share %c100 {chunk = 16 : i64} : index
  %part = arith.subi %high, %low : index
  %rest = arith.remui %part, %c16 : index
  %full = arith.subi %high, %rest : index
  scf.for %i = %low to %full step %c16 {
    %a = vector.load %x[%i] : memref<100xf32>, vector<16xf32>
  }
  %word = memref.load %n[%c1] : memref<8xi64>
  %k = arith.index_cast %word : i64 to index
  %above = arith.maxsi %k, %c0 : index
  %clamped = arith.minsi %above, %c99 : index
  memref.store %v, %x[%clamped] : memref<100xf32>
  %digit = arith.remui %k, %c10 : index
  %row = arith.divui %clamped, %c10 : index
  %tens = arith.muli %row, %c10 : index
  %place = arith.addi %tens, %digit : index
  memref.store %v, %x[%place] : memref<100xf32>
  %inside = arith.cmpi ult, %k, %c99 : index
  scf.if %inside {
    %next = arith.addi %k, %c1 : index
    memref.store %v, %x[%next] : memref<100xf32>
  }
  func.return
}

// -----

// The rest is checked, in front of each access, in its loop.

// CHECK-LABEL: @checked
// CHECK:       bounds.check %k below 8 : i64 "memref.store: dimension 0 of memref<8xf32>"
// CHECK-NEXT:  memref.store
// CHECK:       scf.for
// CHECK-NEXT:  bounds.check %i below 8
// CHECK-NEXT:  memref.load
func.func private @checked(%x: memref<8xf32>, %n: memref<1xi64>, %v: f32) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %word = memref.load %n[%c0] : memref<1xi64>
  %k = arith.index_cast %word : i64 to index
  memref.store %v, %x[%k] : memref<8xf32>
  scf.for %i = %c0 to %k step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
  }
  func.return
}

// -----

// A product that wraps proves nothing of its factors.

// CHECK-LABEL: @wraps
// CHECK:       scf.if
// CHECK-NEXT:  bounds.check %k below 8
func.func private @wraps(%x: memref<8xf32>, %n: memref<1xi64>, %v: f32) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %word = memref.load %n[%c0] : memref<1xi64>
  %k = arith.index_cast %word : i64 to index
  %bytes = arith.muli %k, %c4 : index
  %inside = arith.cmpi ult, %bytes, %c8 : index
  scf.if %inside {
    memref.store %v, %x[%k] : memref<8xf32>
  }
  func.return
}

// -----

// CHECK-LABEL: @several
// CHECK:       bounds.check %k below 57 : i64 "memref.subview: the first of 8 elements of 64"
// CHECK:       bounds.check %k below 129 : i64 "memref.view: the first of 128 bytes of 256"
// CHECK:       bounds.check %k below 64 : i64 "vector.load: dimension 0 of memref<64xf32>"
// CHECK:       %[[END:.*]] = arith.addi
// CHECK-NEXT:  bounds.check %[[END]] below 65
// CHECK-NEXT:  vector.load
func.func private @several(%x: memref<64xf32>, %w: memref<256xi8>, %k: index) attributes {irtool.kernel} {
  %s = memref.subview %x[%k] [8] [1] : memref<64xf32> to memref<8xf32, strided<[1], offset: ?>>
  %b = memref.view %w[%k][] : memref<256xi8> to memref<32xf32>
  %a = vector.load %x[%k] : memref<64xf32>, vector<8xf32>
  func.return
}
