// RUN: irtool opt %s -p verify-bounds --split-input-file --verify-diagnostics

// What reaches past its buffer for certain is refused.

func.func private @constant(%x: memref<4x3xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %a = memref.load %x[%c3, %c1] : memref<4x3xf32>
  // expected-error@+1 {{memref.load: expected indices inside of memref<4x3xf32>, reaches 3 in dimension 1}}
  %b = memref.load %x[%c1, %c3] : memref<4x3xf32>
  func.return
}

// -----

func.func private @negative(%x: memref<4xf32>, %v: f32) attributes {irtool.kernel} {
  %c1 = arith.constant -1 : index
  // expected-error@+1 {{memref.store: expected indices inside of memref<4xf32>, reaches -1 in dimension 0}}
  memref.store %v, %x[%c1] : memref<4xf32>
  func.return
}

// -----

// The last value of a counter: 1, 4, 7.

func.func private @loop(%x: memref<8xf32>, %y: memref<7xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c9 = arith.constant 9 : index
  scf.for %i = %c1 to %c9 step %c3 {
    %a = memref.load %x[%i] : memref<8xf32>
    // expected-error@+1 {{reaches 7 in dimension 0}}
    %b = memref.load %y[%i] : memref<7xf32>
  }
  func.return
}

// -----

// Sums over several counters, of which one comes from the other: 16 * 3 + 15 - 2.

func.func private @tiles(%x: memref<64xf32>, %y: memref<61xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c16 = arith.constant 16 : index
  scf.for %i = %c0 to %c4 step %c1 {
    %first = arith.muli %i, %c16 : index
    %end = arith.addi %first, %c16 : index
    scf.for %j = %first to %end step %c1 {
      %a = memref.load %x[%j] : memref<64xf32>
      %k = arith.subi %j, %c2 : index
      // expected-error@+1 {{reaches -2 in dimension 0}}
      %b = memref.load %y[%k] : memref<61xf32>
    }
  }
  func.return
}

// -----

// A condition may leave out what would be wrong; loops that do not run, too.

func.func private @guarded(%x: memref<4xf32>, %c: i1) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %inside = arith.cmpi slt, %i, %c4 : index
    scf.if %inside {
      %a = memref.load %x[%i] : memref<4xf32>
      scf.yield
    }
  }
  scf.for %i = %c8 to %c4 step %c1 {
    %b = memref.load %x[%i] : memref<4xf32>
  }
  func.return
}

// -----

// All of a share's parts together.

func.func private @share(%x: memref<63xf32>, %v: f32) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %low, %high = spmd.share %c64 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{memref.store: expected indices inside of memref<63xf32>, reaches 63 in dimension 0}}
    memref.store %v, %x[%i] : memref<63xf32>
  }
  func.return
}

// -----

// Vectors may cross rows, but not the end.

func.func private @vectors(%x: memref<2x8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %a = vector.load %x[%c0, %c4] : memref<2x8xf32>, vector<8xf32>
  // expected-error@+1 {{vector.load: expected 16 elements of memref<2x8xf32>, reaches number 19}}
  %b = vector.load %x[%c1, %c4] : memref<2x8xf32>, vector<8xf32>
  func.return
}

// -----

func.func private @view(%x: memref<100xi8>) attributes {irtool.kernel} {
  %c36 = arith.constant 36 : index
  %c64 = arith.constant 64 : index
  %a = memref.view %x[%c36][] : memref<100xi8> to memref<16xf32>
  // expected-error@+1 {{memref.view: expected a part of memref<100xi8>, memref<16xf32> reaches byte 127 of 100}}
  %b = memref.view %x[%c64][] : memref<100xi8> to memref<16xf32>
  func.return
}

// -----

func.func private @subview(%x: memref<4x8xf32>) attributes {irtool.kernel} {
  %a = memref.subview %x[1, 2][3, 6][1, 1] : memref<4x8xf32> to memref<3x6xf32, strided<[8, 1], offset: 10>>
  // expected-error@+1 {{memref.subview: expected a part of memref<4x8xf32>, memref<3x6xf32, strided<[8, 1], offset: 18>> reaches element 39 of 32}}
  %b = memref.subview %x[2, 2][3, 6][1, 1] : memref<4x8xf32> to memref<3x6xf32, strided<[8, 1], offset: 18>>
  func.return
}

// -----

func.func private @reinterpret(%x: memref<32xf32>) attributes {irtool.kernel} {
  %a = memref.reinterpret_cast %x to offset: [8], sizes: [3, 4], strides: [8, 1] : memref<32xf32> to memref<3x4xf32, strided<[8, 1], offset: 8>>
  // expected-error@+1 {{reaches element 39 of 32}}
  %b = memref.reinterpret_cast %x to offset: [8], sizes: [4, 8], strides: [8, 1] : memref<32xf32> to memref<4x8xf32, strided<[8, 1], offset: 8>>
  func.return
}

// -----

// expected-error@+1 {{argument 0 of @large: expected at most 2^47 bytes, got memref<9223372036854775807x20xf32>}}
func.func private @large(%x: memref<9223372036854775807x20xf32>) attributes {irtool.kernel} {
  func.return
}
