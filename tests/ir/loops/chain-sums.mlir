// RUN: irtool opt %s -p chain-sums --split-input-file | filecheck %s

// Blocks of as many terms as there are blocks; 20000 is no multiple of 256.

// CHECK-LABEL: func.func private @total
// CHECK:         %[[S:.*]] = scf.for %block = %c0 to %c20000 step %{{.*}} iter_args(%[[TOTAL:.*]] = %[[ZERO:.*]]) -> (f32)
// CHECK:           %[[FAR:.*]] = arith.addi %block, %{{.*}} : index
// CHECK-NEXT:      %[[END:.*]] = arith.minsi %[[FAR]], %c20000 : index
// CHECK-NEXT:      %[[PART:.*]] = scf.for %i = %block to %[[END]] step %c1 iter_args(%[[ACC:.*]] = %{{.*}}) -> (f32)
// CHECK:             arith.addf %[[ACC]]
// CHECK:           %[[NEXT:.*]] = arith.addf %[[TOTAL]], %[[PART]] : f32
// CHECK-NEXT:      scf.yield %[[NEXT]] : f32
func.func private @total(%x: memref<20000xf32>, %y: memref<f32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20000 = arith.constant 20000 : index
  %zero = arith.constant 0.0 : f32
  %s = scf.for %i = %c0 to %c20000 step %c1 iter_args(%acc = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<20000xf32>
    %n = arith.addf %acc, %a : f32
    scf.yield %n : f32
  }
  memref.store %s, %y[] : memref<f32>
  func.return
}

// -----

// A maximum that is carried along is handed through, and so is a sum of 64 bits; 4096 is 64 blocks of 64.

// CHECK-LABEL: func.func private @mixed
// CHECK:         scf.for %block = {{.*}} iter_args(%[[M:.*]] = %{{.*}}, %[[S:.*]] = %{{.*}}, %[[D:.*]] = %{{.*}}) -> (f32, f32, f64)
// CHECK-NOT:       minsi
// CHECK:           %{{.*}}, %[[P:.*]], %{{.*}} = scf.for %i = %block {{.*}} iter_args(%{{.*}} = %[[M]], %{{.*}} = %{{.*}}, %{{.*}} = %[[D]]) -> (f32, f32, f64)
// CHECK:           %[[N:.*]] = arith.addf %[[S]], %[[P]] : f32
// CHECK-NEXT:      scf.yield %{{.*}}, %[[N]], %{{.*}} : f32, f32, f64
func.func private @mixed(%x: memref<4096xf32>, %y: memref<2xf32>, %z: memref<f64>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4096 = arith.constant 4096 : index
  %zero = arith.constant 0.0 : f32
  %zero64 = arith.constant 0.0 : f64
  %m, %s, %d = scf.for %i = %c0 to %c4096 step %c1 iter_args(%a = %zero, %b = %zero, %c = %zero64) -> (f32, f32, f64) {
    %v = memref.load %x[%i] : memref<4096xf32>
    %w = arith.extf %v : f32 to f64
    %p = arith.maximumf %a, %v : f32
    %q = arith.addf %b, %v : f32
    %r = arith.addf %c, %w : f64
    scf.yield %p, %q, %r : f32, f32, f64
  }
  memref.store %m, %y[%c0] : memref<2xf32>
  memref.store %s, %y[%c1] : memref<2xf32>
  memref.store %d, %z[] : memref<f64>
  func.return
}

// -----

// Two short loops make a long sum: the inner one starts at zero. Short sums stay.

// CHECK-LABEL: func.func private @nest
// CHECK:         scf.for %i = {{.*}} iter_args(%[[T:.*]] = %[[Z:.*]]) -> (vector<4xf32>)
// CHECK-NEXT:      %[[P:.*]] = scf.for %j = {{.*}} iter_args(%{{.*}} = %[[Z]]) -> (vector<4xf32>)
// CHECK:           %[[N:.*]] = arith.addf %[[T]], %[[P]] : vector<4xf32>
// CHECK-NEXT:      scf.yield %[[N]]
// CHECK-LABEL: func.func private @short
// CHECK-NOT:     minsi
// CHECK-COUNT-1: scf.for
// CHECK-NOT:     scf.for
func.func private @nest(%x: memref<40x40x4xf32>, %y: memref<4xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %zero = arith.constant dense<0.0> : vector<4xf32>
  %s = scf.for %i = %c0 to %c40 step %c1 iter_args(%t = %zero) -> (vector<4xf32>) {
    %u = scf.for %j = %c0 to %c40 step %c1 iter_args(%acc = %t) -> (vector<4xf32>) {
      %a = vector.load %x[%i, %j, %c0] : memref<40x40x4xf32>, vector<4xf32>
      %n = arith.addf %acc, %a : vector<4xf32>
      scf.yield %n : vector<4xf32>
    }
    scf.yield %u : vector<4xf32>
  }
  vector.store %s, %y[%c0] : memref<4xf32>, vector<4xf32>
  func.return
}

func.func private @short(%x: memref<200xf32>, %y: memref<f32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c200 = arith.constant 200 : index
  %zero = arith.constant 0.0 : f32
  %s = scf.for %i = %c0 to %c200 step %c1 iter_args(%acc = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<200xf32>
    %n = arith.addf %acc, %a : f32
    scf.yield %n : f32
  }
  memref.store %s, %y[] : memref<f32>
  func.return
}
