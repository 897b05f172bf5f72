// RUN: irtool translate --to c %s | filecheck %s

// A share begins where the shares of the threads before end: in whole chunks, but perhaps for the last one.

// CHECK:static inline long share_start(long chunks, long thread, long threads)
// CHECK:void shares(float x[restrict 1000], const long *restrict count, long thread, long threads)
// CHECK-NEXT:{
// CHECK-NEXT:    long n = *count;
// CHECK-NEXT:    long n1 = (n + 7) / 8;
// CHECK-NEXT:    long high = share_start(1000, thread + 1, threads);
// CHECK:         for (long i = share_start(1000, thread, threads); i < high; i++)
// CHECK-NEXT:        x[i] = 1.0f;
// CHECK:         barrier(threads);
// CHECK:         long high16 = min_i64(16 * share_start(63, thread + 1, threads), 1000);
// CHECK:         for (long i = min_i64(16 * share_start(63, thread, threads), 1000); i < high16; i++)
// CHECK:         barrier(threads);
// CHECK:         long high8 = min_i64(8 * share_start(n1, thread + 1, threads), n);
// CHECK:         for (long i = min_i64(8 * share_start(n1, thread, threads), n); i < high8; i++)
// CHECK:         barrier(threads);
// CHECK:         if (thread == 0) {
// CHECK-NEXT:        x[0] = 1.0f;
// CHECK-NEXT:        x[999] = 1.0f;
// CHECK-NEXT:    }
// CHECK-NEXT:    if (thread == 0)
// CHECK-NEXT:        x[0] = 1.0f;
// CHECK-NEXT:}
func.func private @shares(%x: memref<1000xf32>, %count: memref<i64>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c999 = arith.constant 999 : index
  %c1000 = arith.constant 1000 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c1000 : index
  %low16, %high16 = spmd.share %c1000 {chunk = 16 : i64} : index
  %n64 = memref.load %count[] : memref<i64>
  %n = arith.index_cast %n64 : i64 to index
  %low8, %high8 = spmd.share %n {chunk = 8 : i64} : index
  scf.for %i = %low to %high step %c1 {
    memref.store %one, %x[%i] : memref<1000xf32>
  }
  spmd.barrier
  scf.for %i = %low16 to %high16 step %c1 {
    %a = memref.load %x[%i] : memref<1000xf32>
    %b = arith.addf %a, %one : f32
    memref.store %b, %x[%i] : memref<1000xf32>
  }
  spmd.barrier
  scf.for %i = %low8 to %high8 step %c1 {
    %a = memref.load %x[%i] : memref<1000xf32>
    %b = arith.addf %a, %one : f32
    memref.store %b, %x[%i] : memref<1000xf32>
  }
  spmd.barrier
  spmd.single {
    memref.store %one, %x[%c0] : memref<1000xf32>
    memref.store %one, %x[%c999] : memref<1000xf32>
  }
  spmd.single {
    memref.store %one, %x[%c0] : memref<1000xf32>
  }
  func.return
}

// Without a team the caller's thread flushes denormals, or not, and gets its own mode back.

// CHECK:void step(void **buffers, char *arena, char *workspace, int threads, int flush)
// CHECK-NEXT:{
// CHECK-NEXT:    float *x = buffers[0];
// CHECK-NEXT:    long *count = buffers[1];
// CHECK-NEXT:    const unsigned long mode = flush_denormals(flush);
// CHECK-NEXT:    shares(x, count, 0, 1);
// CHECK-NEXT:    restore_mode(mode);
// CHECK-NEXT:}
func.func @step(%x: memref<1000xf32>, %count: memref<i64>, %workspace: memref<0xi8> {irtool.workspace}) {
  func.call @shares(%x, %count) : (memref<1000xf32>, memref<i64>) -> ()
  func.return
}
