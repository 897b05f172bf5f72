// RUN: irtool translate --to c %s | filecheck %s --match-full-lines --strict-whitespace

// A kernel and a host function, as C that a person could have written.

// CHECK:void axpy(const float x[restrict 64][10], float y[restrict 64][10], const float *restrict a, float *restrict total,
// CHECK-NEXT:          long thread, long threads)
// CHECK-NEXT:{
// CHECK-NEXT:    long high = share_start(64, thread + 1, threads);
// CHECK-EMPTY:
// CHECK-NEXT:    // loops.mlir:{{[0-9]+}}
// CHECK-NEXT:    for (long i = share_start(64, thread, threads); i < high; i++) {
// CHECK-NEXT:        float scale = *a;
// CHECK-NEXT:        for (long j = 0; j < 10; j++)
// CHECK-NEXT:            y[i][j] += x[i][j] * scale;
// CHECK-NEXT:    }
// CHECK-EMPTY:
// CHECK-NEXT:    barrier(threads);
// CHECK-EMPTY:
// CHECK-NEXT:    // loops.mlir:{{[0-9]+}}
// CHECK-NEXT:    float sum = 0.0f;
// CHECK-NEXT:    for (long i = 0; i < 64; i++) {
// CHECK-NEXT:        for (long j = 0; j < 10; j++)
// CHECK-NEXT:            sum += x[i][j];
// CHECK-NEXT:    }
// CHECK-EMPTY:
// CHECK-NEXT:    if (thread == 0)
// CHECK-NEXT:        *total = sum;
// CHECK-NEXT:}

func.func private @axpy(%x: memref<64x10xf32>, %y: memref<64x10xf32> {irtool.out = 0 : i64}, %a: memref<f32>,
                        %total: memref<f32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c10 = arith.constant 10 : index
  %zero = arith.constant 0.0 : f32
  %low, %high = spmd.share %c64 : index
  scf.for %i = %low to %high step %c1 {
    %scale = memref.load %a[] : memref<f32>
    scf.for %j = %c0 to %c10 step %c1 {
      %0 = memref.load %x[%i, %j] : memref<64x10xf32>
      %1 = memref.load %y[%i, %j] : memref<64x10xf32>
      %2 = arith.mulf %0, %scale : f32
      %3 = arith.addf %1, %2 : f32
      memref.store %3, %y[%i, %j] : memref<64x10xf32>
    }
  }
  spmd.barrier
  %sum = scf.for %i = %c0 to %c64 step %c1 iter_args(%outer = %zero) -> (f32) {
    %inner = scf.for %j = %c0 to %c10 step %c1 iter_args(%acc = %outer) -> (f32) {
      %0 = memref.load %x[%i, %j] : memref<64x10xf32>
      %s = arith.addf %acc, %0 : f32
      scf.yield %s : f32
    }
    scf.yield %inner : f32
  }
  spmd.single {
    memref.store %sum, %total[] : memref<f32>
  }
  func.return
}

// CHECK:void step(void **buffers, char *arena, char *workspace, int threads, int flush)
// CHECK-NEXT:{
// CHECK-NEXT:    float (*x)[10] = buffers[0];
// CHECK-NEXT:    float (*y)[10] = buffers[1];
// CHECK-NEXT:    float *a = buffers[2];
// CHECK-NEXT:    float (*h)[10] = (void *)(arena + 64);
// CHECK-NEXT:    float *total = (void *)arena;
// CHECK-NEXT:    #pragma omp parallel num_threads(threads)
// CHECK-NEXT:    {
// CHECK-NEXT:        const long thread = omp_get_thread_num(), team = omp_get_num_threads();
// CHECK-NEXT:        const unsigned long mode = flush_denormals(flush);
// CHECK-NEXT:        axpy(x, h, a, total, thread, team);
// CHECK-NEXT:        barrier(team);
// CHECK-NEXT:        axpy(h, y, a, total, thread, team);
// CHECK-NEXT:        restore_mode(mode);
// CHECK-NEXT:    }
// CHECK-NEXT:}

func.func @step(%x: memref<64x10xf32>, %y: memref<64x10xf32>, %a: memref<f32>, %arena: memref<4096xi8> {irtool.arena},
                %workspace: memref<?xi8> {irtool.workspace}) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %h = memref.view %arena[%c64][] : memref<4096xi8> to memref<64x10xf32>
  %total = memref.view %arena[%c0][] : memref<4096xi8> to memref<f32>
  spmd.parallel {
    func.call @axpy(%x, %h, %a, %total) : (memref<64x10xf32>, memref<64x10xf32>, memref<f32>, memref<f32>) -> ()
    spmd.barrier
    func.call @axpy(%h, %y, %a, %total) : (memref<64x10xf32>, memref<64x10xf32>, memref<f32>, memref<f32>) -> ()
  }
  func.return
}
