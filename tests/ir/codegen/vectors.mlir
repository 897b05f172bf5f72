// RUN: irtool translate --to c %s | filecheck %s --match-full-lines --strict-whitespace

// Vectors are GCC vector extensions; a unit defines only what it mentions.

// CHECK:typedef float v16f __attribute__((vector_size(64)));
// CHECK-NOT:typedef double

// A register tile: the pattern of every contraction.

// CHECK:void tile(const float a[restrict 384][14], const float b[restrict 384][32], float c[restrict 14][32], long thread,
// CHECK-NEXT:          long threads)
// CHECK-NEXT:{
// CHECK-NEXT:    v16f acc[14][2];
// CHECK-EMPTY:
// CHECK-NEXT:    // vectors.mlir:{{[0-9]+}}
// CHECK-NEXT:    #pragma GCC unroll 14
// CHECK-NEXT:    for (long i = 0; i < 14; i++) {
// CHECK-NEXT:        #pragma GCC unroll 2
// CHECK-NEXT:        for (long j = 0; j < 2; j++)
// CHECK-NEXT:            acc[i][j] = splat_v16f(0.0f);
// CHECK-NEXT:    }
// CHECK-EMPTY:
// CHECK-NEXT:    // vectors.mlir:{{[0-9]+}}
// CHECK-NEXT:    for (long k = 0; k < 384; k++) {
// CHECK-NEXT:        prefetch(b, (k + 8) * 32 * sizeof(float));
// CHECK-NEXT:        #pragma GCC unroll 14
// CHECK-NEXT:        for (long i = 0; i < 14; i++) {
// CHECK-NEXT:            v16f s = splat_v16f(a[k][i]);
// CHECK-NEXT:            #pragma GCC unroll 2
// CHECK-NEXT:            for (long j = 0; j < 2; j++)
// CHECK-NEXT:                acc[i][j] += s * load_v16f(&b[k][j * 16]);
// CHECK-NEXT:        }
// CHECK-NEXT:    }
// CHECK-EMPTY:
// CHECK-NEXT:    if (thread == 0) {
// CHECK-NEXT:        // vectors.mlir:{{[0-9]+}}
// CHECK-NEXT:        #pragma GCC unroll 14
// CHECK-NEXT:        for (long i = 0; i < 14; i++) {
// CHECK-NEXT:            store_v16f(&c[i][0], acc[i][0]);
// CHECK-NEXT:            store_v16f(&c[i][16], acc[i][1]);
// CHECK-NEXT:        }
// CHECK-NEXT:    }
// CHECK-NEXT:}

func.func private @tile(%a: memref<384x14xf32>, %b: memref<384x32xf32>, %c: memref<14x32xf32> {irtool.out = 0 : i64})
    attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %c14 = arith.constant 14 : index
  %c16 = arith.constant 16 : index
  %c384 = arith.constant 384 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %acc = memref.alloca() : memref<14x2xvector<16xf32>>
  scf.for %i = %c0 to %c14 step %c1 {
    scf.for %j = %c0 to %c2 step %c1 {
      memref.store %zero, %acc[%i, %j] : memref<14x2xvector<16xf32>>
    } {unroll}
  } {unroll}
  scf.for %k = %c0 to %c384 step %c1 {
    %ahead = arith.addi %k, %c8 : index
    spmd.prefetch %b[%ahead, %c0] : memref<384x32xf32>
    scf.for %i = %c0 to %c14 step %c1 {
      %0 = memref.load %a[%k, %i] : memref<384x14xf32>
      %s = vector.broadcast %0 : f32 to vector<16xf32>
      scf.for %j = %c0 to %c2 step %c1 {
        %1 = arith.muli %j, %c16 : index
        %2 = vector.load %b[%k, %1] : memref<384x32xf32>, vector<16xf32>
        %3 = memref.load %acc[%i, %j] : memref<14x2xvector<16xf32>>
        %4 = vector.fma %s, %2, %3 : vector<16xf32>
        memref.store %4, %acc[%i, %j] : memref<14x2xvector<16xf32>>
      } {unroll}
    } {unroll}
  }
  spmd.single {
    scf.for %i = %c0 to %c14 step %c1 {
      %0 = memref.load %acc[%i, %c0] : memref<14x2xvector<16xf32>>
      vector.store %0, %c[%i, %c0] : memref<14x32xf32>, vector<16xf32>
      %1 = memref.load %acc[%i, %c1] : memref<14x2xvector<16xf32>>
      vector.store %1, %c[%i, %c16] : memref<14x32xf32>, vector<16xf32>
    } {unroll}
  }
  func.return
}

// A scalar that stands for equal lanes is spread by C itself; the last lanes go through a mask.

// CHECK:void tail(float x[restrict 21], const float *restrict rate, long thread, long threads)
// CHECK-NEXT:{
// CHECK-NEXT:    float rate1 = *rate;
// CHECK-NEXT:    if (thread == 0) {
// CHECK-NEXT:        // vectors.mlir:{{[0-9]+}}
// CHECK-NEXT:        for (long i = 0; i < 21; i += 16) {
// CHECK-NEXT:            v16i m = first_v16i(21 - i);
// CHECK-NEXT:            v16f v = masked_load_v16f(&x[i], m, splat_v16f(0.0f));
// CHECK-NEXT:            masked_store_v16f(&x[i], m, select_v16f(v > 0.0f, 1.0f - v * rate1, v));
// CHECK-NEXT:        }
// CHECK-NEXT:    }
// CHECK-NEXT:}

func.func private @tail(%x: memref<21xf32> {irtool.out = 0 : i64}, %rate: memref<f32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c21 = arith.constant 21 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %one = arith.constant dense<1.0> : vector<16xf32>
  %rate1 = memref.load %rate[] : memref<f32>
  spmd.single {
    scf.for %i = %c0 to %c21 step %c16 {
      %n = arith.subi %c21, %i : index
      %m = vector.create_mask %n : vector<16xi1>
      %v = vector.maskedload %x[%i], %m, %zero : memref<21xf32>, vector<16xi1>, vector<16xf32> into vector<16xf32>
      %r = vector.broadcast %rate1 : f32 to vector<16xf32>
      %step = arith.mulf %v, %r : vector<16xf32>
      %down = arith.subf %one, %step : vector<16xf32>
      %positive = vectorx.cmpf ogt, %v, %zero : vector<16xf32>
      %new = vectorx.select %positive, %down, %v : vector<16xf32>
      vector.maskedstore %x[%i], %m, %new : memref<21xf32>, vector<16xi1>, vector<16xf32>
    }
  }
  func.return
}

// A block is turned around by a function, once in a file.

// CHECK:void turn(const float x[restrict 40][64], float y[restrict 64][48], long thread, long threads)
// CHECK-NEXT:{
// CHECK-NEXT:    if (thread == 0)
// CHECK-NEXT:        transpose_v16f(&x[16][32], 64, &y[32][16], 48, 16, 9);
// CHECK-NEXT:}

func.func private @turn(%x: memref<40x64xf32>, %y: memref<64x48xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %c9 = arith.constant 9 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  spmd.single {
    vectorx.transpose %x[%c16, %c32], %y[%c32, %c16], %c16, %c9 {step = 64, to_step = 48, lanes = 16} : memref<40x64xf32>, memref<64x48xf32>
  }
  func.return
}

func.func @step(%workspace: memref<?xi8> {irtool.workspace}) {
  func.return
}
