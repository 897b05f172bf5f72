// RUN: irtool opt %s -p "widen-accesses{vector_bits=128}" | filecheck %s

// Four floats at once, and the truth values that go with them; the last two one by one.
// CHECK-LABEL: func.func private @ragged
// CHECK:         scf.for %i = %c0 to %n step %{{[0-9a-z_]+}} {
// CHECK:           [[WHOLE:%[0-9a-z_]+]] = arith.cmpi sle
// CHECK-NEXT:      scf.if [[WHOLE]] {
// CHECK-NEXT:        [[X:%[0-9a-z_]+]] = memref.alloca() : memref<4xf32>
// CHECK-NEXT:        [[V:%[0-9a-z_]+]] = vector.load %x[%i] : memref<1002xf32>, vector<4xf32>
// CHECK-NEXT:        vector.store [[V]], [[X]][%c0]
// CHECK:             vector.load %m[%i] : memref<1002xi1>, vector<4xi1>
// CHECK:             [[Y:%[0-9a-z_]+]] = memref.alloca() : memref<4xf32>
// CHECK-NEXT:        scf.for %lane = %c0 to
// CHECK:               memref.load [[X]][%lane]
// CHECK-NEXT:          math.exp
// CHECK:               memref.store %{{.*}}, [[Y]][%lane]
// CHECK-NEXT:        } {unroll}
// CHECK-NEXT:        [[R:%[0-9a-z_]+]] = vector.load [[Y]][%c0]
// CHECK-NEXT:        vector.store [[R]], %y[%i]
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.for [[J:%[0-9a-z_]+]] = %i to %n step %c1 {
// CHECK-NEXT:          memref.load %x{{\[}}[[J]]]
func.func private @ragged(%x: memref<1002xf32>, %m: memref<1002xi1>, %y: memref<1002xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 1002 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i] : memref<1002xf32>
    %b = math.exp %a : f32
    %c = memref.load %m[%i] : memref<1002xi1>
    %d = arith.select %c, %a, %b : f32
    memref.store %d, %y[%i] : memref<1002xf32>
  } {parallel}
  func.return
}

// Two doubles, and the two floats beside them; what is updated in place is read first. What is the same for all, or
// lies elsewhere, goes one by one.
// CHECK-LABEL: func.func private @rows
// CHECK:         scf.for %i =
// CHECK-NEXT:      scf.for %j = %c0 to %c10 step %{{[0-9a-z_]+}} {
// CHECK:             vector.load %x[%i, %j] : memref<64x10xf32>, vector<2xf32>
// CHECK:             [[Y:%[0-9a-z_]+]] = memref.alloca() : memref<2xf64>
// CHECK-NEXT:        vector.load %y[%i, %j] : memref<64x10xf64>, vector<2xf64>
// CHECK:             scf.for %lane
// CHECK-NEXT:          [[K:%[0-9a-z_]+]] = arith.addi %j, %lane
// CHECK:               memref.load %s[%i]
// CHECK:               memref.load %t{{\[}}[[K]], %i]
// CHECK:               memref.store %{{.*}}, [[Y]][%lane]
// CHECK:             vector.store %{{.*}}, %y[%i, %j] : memref<64x10xf64>, vector<2xf64>
// CHECK-NOT:       else
func.func private @rows(%x: memref<64x10xf32>, %s: memref<64xf32>, %t: memref<10x64xf32>, %y: memref<64x10xf64>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %c64 step %c1 {
    scf.for %j = %c0 to %c10 step %c1 {
      %a = memref.load %x[%i, %j] : memref<64x10xf32>
      %b = memref.load %s[%i] : memref<64xf32>
      %c = memref.load %t[%j, %i] : memref<10x64xf32>
      %d = arith.mulf %a, %b : f32
      %e = arith.addf %d, %c : f32
      %w = arith.extf %e : f32 to f64
      %f = memref.load %y[%i, %j] : memref<64x10xf64>
      %g = arith.addf %f, %w : f64
      memref.store %g, %y[%i, %j] : memref<64x10xf64>
    } {parallel}
  } {parallel}
  func.return
}

// Rows of seven begin anywhere.
// CHECK-LABEL: func.func private @short
// CHECK-NOT:     vector
func.func private @short(%x: memref<64x7xf32>, %y: memref<64x7xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c64 = arith.constant 64 : index
  scf.for %i = %c0 to %c64 step %c1 {
    scf.for %j = %c0 to %c7 step %c1 {
      %a = memref.load %x[%i, %j] : memref<64x7xf32>
      memref.store %a, %y[%i, %j] : memref<64x7xf32>
    } {parallel}
  } {parallel}
  func.return
}

// One of the two calls gives rows of 9 floats, whose addresses are no multiples of 16.
// CHECK-LABEL: func.func private @called
// CHECK-NOT:     vector
func.func private @called(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
    memref.store %a, %y[%i] : memref<8xf32>
  } {parallel}
  func.return
}

// Rows of 8 begin at multiples of 32.
// CHECK-LABEL: func.func private @of_rows
// CHECK:         vector.load %x[%i] : memref<8xf32>, vector<4xf32>
func.func private @of_rows(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
    memref.store %a, %y[%i] : memref<8xf32>
  } {parallel}
  func.return
}
func.func @step(%x: memref<5x9xf32>, %y: memref<5x8xf32>, %arena: memref<64xi8> {irtool.arena}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %h = memref.view %arena[%c0][] : memref<64xi8> to memref<8xf32>
  scf.for %i = %c0 to %c5 step %c1 {
    %a = memref.subview %x[%i, 0] [1, 8] [1, 1] : memref<5x9xf32> to memref<8xf32, strided<[1], offset: ?>>
    %b = memref.subview %y[%i, 0] [1, 8] [1, 1] : memref<5x8xf32> to memref<8xf32, strided<[1], offset: ?>>
    %from = "memref.cast"(%a) : (memref<8xf32, strided<[1], offset: ?>>) -> memref<8xf32>
    %to = "memref.cast"(%b) : (memref<8xf32, strided<[1], offset: ?>>) -> memref<8xf32>
    func.call @of_rows(%to, %h) : (memref<8xf32>, memref<8xf32>) -> ()
    func.call @called(%h, %to) : (memref<8xf32>, memref<8xf32>) -> ()
    func.call @called(%from, %to) : (memref<8xf32>, memref<8xf32>) -> ()
  }
  func.return
}
