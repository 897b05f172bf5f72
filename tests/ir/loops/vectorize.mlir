// RUN: irtool opt %s -p vectorize --split-input-file | filecheck %s

// Whole strips without a mask, the rest under one; what comes from outside is spread once.

// CHECK-LABEL: func.func private @scale
// CHECK:         %[[K:.*]] = vector.broadcast %k : f32 to vector<16xf32>
// CHECK-NEXT:    scf.for %i = %c0 to %{{.*}} step %{{.*}} {
// CHECK-NEXT:      %[[A:.*]] = vector.load %x[%i] : memref<100xf32>, vector<16xf32>
// CHECK-NEXT:      %[[B:.*]] = arith.mulf %[[A]], %[[K]] : vector<16xf32>
// CHECK-NEXT:      vector.store %[[B]], %y[%i]
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[M:.*]] = vector.create_mask %{{.*}} : vector<16xi1>
// CHECK-NEXT:    vector.maskedload %x[%{{.*}}], %[[M]]
// CHECK-NEXT:    arith.mulf
// CHECK-NEXT:    vector.maskedstore %y[%{{.*}}], %[[M]]
func.func private @scale(%x: memref<100xf32>, %k: f32, %y: memref<100xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  scf.for %i = %c0 to %c100 step %c1 {
    %a = memref.load %x[%i] : memref<100xf32>
    %b = arith.mulf %a, %k : f32
    memref.store %b, %y[%i] : memref<100xf32>
  } {parallel}
  func.return
}

// -----

// A short row is one masked vector; lanes that are off do not count in the sum.

// CHECK-LABEL: func.func private @row
// CHECK-NOT:     scf.for
// CHECK:         %[[M:.*]] = vector.create_mask
// CHECK:         %[[A:.*]] = vector.maskedload
// CHECK:         %[[S:.*]] = arith.addf
// CHECK:         %[[T:.*]] = vectorx.select %[[M]], %[[S]], %{{.*}} : vector<16xf32>
// CHECK:         vector.reduction <add>, %[[T]] : vector<16xf32> into f32
func.func private @row(%x: memref<10xf32>, %y: memref<f32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %s = scf.for %i = %c0 to %c10 step %c1 iter_args(%acc = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<10xf32>
    %b = arith.addf %acc, %a : f32
    scf.yield %b : f32
  } {parallel}
  memref.store %s, %y[] : memref<f32>
  func.return
}

// -----

// A long sum has several partial results, combined in a fixed order.

// CHECK-LABEL: func.func private @long
// CHECK:         %[[A:.*]], %[[B:.*]], %[[C:.*]], %[[D:.*]] = scf.for
// CHECK-COUNT-4: vector.load
// CHECK:         }
// CHECK-NEXT:    %[[AB:.*]] = arith.addf %[[A]], %[[B]]
// CHECK-NEXT:    %[[CD:.*]] = arith.addf %[[C]], %[[D]]
// CHECK-NEXT:    %[[ALL:.*]] = arith.addf %[[AB]], %[[CD]]
// CHECK-NEXT:    vector.reduction <add>, %[[ALL]]
func.func private @long(%x: memref<1024xf32>, %y: memref<f32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 1024 : index
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<1024xf32>
    %b = arith.addf %acc, %a : f32
    scf.yield %b : f32
  } {parallel}
  memref.store %s, %y[] : memref<f32>
  func.return
}

// -----

// Columns are lanes, and rows stay a loop, over vectors.

// CHECK-LABEL: func.func private @columns
// CHECK:         scf.for %j =
// CHECK-NEXT:      %[[S:.*]] = scf.for %i = {{.*}} iter_args(%acc = %{{.*}}) -> (vector<16xf32>) {
// CHECK-NEXT:        %[[A:.*]] = vector.load %x[%i, %j]
// CHECK-NEXT:        arith.addf %acc, %[[A]] : vector<16xf32>
// CHECK:           vector.store %[[S]], %y[%j]
func.func private @columns(%x: memref<50x32xf32>, %y: memref<32xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %c50 = arith.constant 50 : index
  scf.for %j = %c0 to %c32 step %c1 {
    %s = scf.for %i = %c0 to %c50 step %c1 iter_args(%acc = %zero) -> (f32) {
      %a = memref.load %x[%i, %j] : memref<50x32xf32>
      %b = arith.addf %acc, %a : f32
      scf.yield %b : f32
    } {parallel}
    memref.store %s, %y[%j] : memref<32xf32>
  } {parallel}
  func.return
}

// -----

// Comparisons, choices and conversions have vector forms of their own; a counter becomes a vector of numbers.

// CHECK-LABEL: func.func private @count
// CHECK-DAG:     arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : vector<16xi64>
// CHECK:         %[[I:.*]] = arith.index_cast %i : index to i64
// CHECK-NEXT:    %[[B:.*]] = vector.broadcast %[[I]] : i64 to vector<16xi64>
// CHECK-NEXT:    %[[N:.*]] = arith.addi %[[B]], %{{.*}} : vector<16xi64>
// CHECK:         %[[F:.*]] = vectorx.sitofp %[[N]] : vector<16xi64> to vector<16xf32>
// CHECK:         %[[C:.*]] = vectorx.cmpf olt, %{{.*}}, %[[F]] : vector<16xf32>
// CHECK:         vectorx.select %[[C]]
func.func private @count(%x: memref<32xf32>, %y: memref<32xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  scf.for %i = %c0 to %c32 step %c1 {
    %a = memref.load %x[%i] : memref<32xf32>
    %n = arith.index_cast %i : index to i64
    %f = arith.sitofp %n : i64 to f32
    %c = arith.cmpf olt, %a, %f : f32
    %r = arith.select %c, %a, %f : f32
    memref.store %r, %y[%i] : memref<32xf32>
  } {parallel}
  func.return
}

// -----

// A copy with a stride would only be slower lane by lane. A loop that is not parallel stays.

// CHECK-LABEL: func.func private @scalar
// CHECK-NOT:     vector
func.func private @scalar(%x: memref<32x32xf32>, %y: memref<32xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  scf.for %i = %c0 to %c32 step %c1 {
    %a = memref.load %x[%i, %c0] : memref<32x32xf32>
    memref.store %a, %y[%i] : memref<32xf32>
  } {parallel}
  scf.for %i = %c0 to %c32 step %c1 {
    %a = memref.load %y[%i] : memref<32xf32>
    memref.store %a, %y[%i] : memref<32xf32>
  }
  func.return
}

// -----

// Truth values take bytes in memory, and there is no masked access to those: the rest is scalar.

// CHECK-LABEL: func.func private @flags
// CHECK:         vector.load %m[%i] : memref<40xi1>, vector<16xi1>
// CHECK:         scf.for
// CHECK:           memref.load %m
func.func private @flags(%m: memref<40xi1>, %x: memref<40xf32>, %y: memref<40xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  scf.for %i = %c0 to %c40 step %c1 {
    %c = memref.load %m[%i] : memref<40xi1>
    %a = memref.load %x[%i] : memref<40xf32>
    %b = arith.select %c, %a, %zero : f32
    memref.store %b, %y[%i] : memref<40xf32>
  } {parallel}
  func.return
}

// -----

// Every second element of rows: whole vectors are read, the last one up to the last element that counts. Columns are
// two elements apart in memory; what lies between them is not touched.

// CHECK-LABEL: func.func private @second
// CHECK:         %[[Y:.*]] = memref.collapse_shape %y {{\[\[}}0 : i64, 1 : i64]] : memref<20x2xf32> into memref<40xf32>
// CHECK:         %[[A:.*]] = vector.load %x[%{{.*}}] : memref<40xf32>, vector<16xf32>
// CHECK:         vector.shuffle %[[A]], %[[A]] [0, 2, 4, 6, 8, 10, 12, 14,
// CHECK:         %[[B:.*]] = vector.load %x[%{{.*}}] : memref<40xf32>, vector<16xf32>
// CHECK:         %[[E:.*]] = vector.shuffle %{{.*}}, %[[B]] [0, 1, 2, 3, 4, 5, 6, 7, 17, 19, 21, 23, 25, 27, 29, 31]
// CHECK:         %[[M:.*]] = vectorx.cmpi slt
// CHECK:         %[[D:.*]] = vector.shuffle %[[E]], %[[E]] [0, 0, 1, 1, 2, 2,
// CHECK:         vector.maskedstore %[[Y]][%{{.*}}], %[[M]], %[[D]]
func.func private @second(%x: memref<40xf32>, %y: memref<20x2xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %c20 step %c1 {
    %j = arith.muli %i, %c2 : index
    %a = memref.load %x[%j] : memref<40xf32>
    memref.store %a, %y[%i, %c1] : memref<20x2xf32>
  } {parallel}
  func.return
}
