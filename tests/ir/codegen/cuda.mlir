// RUN: irtool translate --to cuda %s | filecheck %s --match-full-lines --strict-whitespace

// Kernels as CUDA C that a person could have written; before them the primitives that they call.

// CHECK:// nvcc -arch=sm_80 -cubin
// CHECK:#define DEVICE static __device__ __forceinline__
// CHECK-NOT:{{.*IRTOOL_EMULATED.*}}
// CHECK:extern "C" __global__ void __launch_bounds__(256) row(const float (*__restrict__ x)[1000],
// CHECK-NEXT:                                                      const float *__restrict__ scale,
// CHECK-NEXT:                                                      float (*__restrict__ out)[1000], long count)
// CHECK-NEXT:{
// CHECK-NEXT:    const long b = blockIdx.x;
// CHECK-NEXT:    const long t = threadIdx.x;
// CHECK-NEXT:    __shared__ __align__(16) float row1[1000];
// CHECK-NEXT:    __shared__ __align__(16) int number;
// CHECK-EMPTY:
// CHECK-NEXT:    // cuda.mlir:{{[0-9]+}}
// CHECK-NEXT:    float m = 0.0f;
// CHECK-NEXT:    for (long j = t; j < 1000; j += 256) {
// CHECK-NEXT:        float v = x[b][j] * *scale;
// CHECK-NEXT:        row1[j] = v;
// CHECK-NEXT:        m = max_f32(m, v);
// CHECK-NEXT:    }
// CHECK-EMPTY:
// CHECK-NEXT:    const float most = block_largest<256>(m);
// CHECK-NEXT:    if (threadIdx.x == 0)
// CHECK-NEXT:        number = 7;
// CHECK-NEXT:    __syncthreads();
// CHECK-EMPTY:
// CHECK-NEXT:    // cuda.mlir:{{[0-9]+}}
// CHECK-NEXT:    #pragma unroll 2
// CHECK-NEXT:    for (long i = 0; i < 2; i++)
// CHECK-NEXT:        out[b][t + i * 256] = row1[t] / most * (float)number;
// CHECK-NEXT:}
// CHECK-EMPTY:
// CHECK-NEXT:// cuda.mlir:{{[0-9]+}}
// CHECK-NEXT:extern "C" __global__ void __launch_bounds__(64) parts(const float (*__restrict__ x)[16], float *__restrict__ out,
// CHECK-NEXT:                                                       bool *__restrict__ flag)
// CHECK-NEXT:{
// CHECK-NEXT:    extern __shared__ __align__(16) char team_memory[];
// CHECK-NEXT:    const long thread = threadIdx.y;
// CHECK-NEXT:    float (&tile)[128][64] = *(float (*)[128][64])(team_memory);
// CHECK-NEXT:    float (&tile1)[100][64] = *(float (*)[100][64])(team_memory + 32768);
// CHECK-NEXT:    __align__(16) float own[4];
// CHECK-NEXT:    v4f registers[2];
// CHECK-NEXT:    float *rest = (float *)&x[2][0];
// CHECK-NEXT:    store_v4f(&own[0], load_v4f(&x[thread][4]));
// CHECK-NEXT:    registers[0] = splat_v4f(own[1]);
// CHECK-NEXT:    v4f u = registers[0];
// CHECK-NEXT:    tile[thread][0] = rest[3] + u[2];
// CHECK-NEXT:    tile1[thread][0] = tile[thread][0];
// CHECK-NEXT:    if (threadIdx.x + threadIdx.y == 0) {
// CHECK-NEXT:        out[0] = tile1[thread][0];
// CHECK-NEXT:        *flag = true;
// CHECK-NEXT:    }
// CHECK-NEXT:    if (threadIdx.x + threadIdx.y + blockIdx.x + blockIdx.y + blockIdx.z == 0)
// CHECK-NEXT:        out[1] = 0.0f;
// CHECK-NEXT:}

"builtin.module"() <{sym_name = "m"}> ({
  func.func @step(%x: memref<64x1000xf32>, %workspace: memref<0xi8> {irtool.workspace}) {
    func.return
  }
  "gpu.module"() <{sym_name = "kernels"}> ({
    "gpu.func"() <{function_type = (memref<64x1000xf32>, memref<f32>, memref<64x1000xf32>, index) -> (), kernel}> ({
    ^bb0(%x: memref<64x1000xf32>, %scale: memref<f32>, %out: memref<64x1000xf32>, %count: index):
      %b = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c256 = arith.constant 256 : index
      %c1000 = arith.constant 1000 : index
      %zero = arith.constant 0.0 : f32
      %seven = arith.constant 7 : i32
      %row = memref.alloc() {spmd.space = #spmd<space team>} : memref<1000xf32>
      %number = memref.alloc() {spmd.space = #spmd<space team>} : memref<i32>
      %m = scf.for %j = %t to %c1000 step %c256 iter_args(%acc = %zero) -> (f32) {
        %a = memref.load %x[%b, %j] : memref<64x1000xf32>
        %s = memref.load %scale[] : memref<f32>
        %v = arith.mulf %a, %s : f32
        memref.store %v, %row[%j] : memref<1000xf32>
        %n = arith.maximumf %acc, %v : f32
        scf.yield %n : f32
      }
      %most = gpux.reduce maximumf %m : f32
      spmd.single {
        memref.store %seven, %number[] : memref<i32>
      } attributes {scope = #spmd<scope block>}
      spmd.barrier {scope = #spmd<scope block>}
      scf.for %i = %c0 to %c2 step %c1 {
        %a = memref.load %row[%t] : memref<1000xf32>
        %q = arith.divf %a, %most : f32
        %n = memref.load %number[] : memref<i32>
        %f = arith.sitofp %n : i32 to f32
        %r = arith.mulf %q, %f : f32
        %k = arith.muli %i, %c256 : index
        %j = arith.addi %t, %k : index
        memref.store %r, %out[%b, %j] : memref<64x1000xf32>
      } {unroll}
      "gpu.return"() : () -> ()
    }) {sym_name = "row", gpu.known_block_size = array<i32: 256, 1, 1>, gpu.known_grid_size = array<i32: 64, 1, 1>} : () -> ()
    "gpu.func"() <{function_type = (memref<64x16xf32>, memref<2xf32>, memref<i1>) -> (), kernel}> ({
    ^bb0(%x: memref<64x16xf32>, %out: memref<2xf32>, %flag: memref<i1>):
      %thread = "gpu.thread_id"() <{dimension = #gpu<dim y>}> : () -> index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %c4 = arith.constant 4 : index
      %true = arith.constant true
      %zero = arith.constant 0.0 : f32
      %tile = memref.alloc() {spmd.space = #spmd<space team>} : memref<128x64xf32>
      %tile_1 = memref.alloc() {spmd.space = #spmd<space team>} : memref<100x64xf32>
      %own = memref.alloca() : memref<4xf32>
      %registers = memref.alloca() : memref<2xvector<4xf32>>
      %rest = memref.subview %x[2, 0] [1, 16] [1, 1] : memref<64x16xf32> to memref<16xf32, strided<[1], offset: 32>>
      %v = vector.load %x[%thread, %c4] : memref<64x16xf32>, vector<4xf32>
      vector.store %v, %own[%c0] : memref<4xf32>, vector<4xf32>
      %a = memref.load %own[%c1] : memref<4xf32>
      %w = vector.broadcast %a : f32 to vector<4xf32>
      memref.store %w, %registers[%c0] : memref<2xvector<4xf32>>
      %u = memref.load %registers[%c0] : memref<2xvector<4xf32>>
      %c = "vector.extract"(%u) <{static_position = array<i64: 2>}> : (vector<4xf32>) -> f32
      %d = memref.load %rest[%c3] : memref<16xf32, strided<[1], offset: 32>>
      %e = arith.addf %d, %c : f32
      memref.store %e, %tile[%thread, %c0] : memref<128x64xf32>
      %f = memref.load %tile[%thread, %c0] : memref<128x64xf32>
      memref.store %f, %tile_1[%thread, %c0] : memref<100x64xf32>
      spmd.single {
        %g = memref.load %tile_1[%thread, %c0] : memref<100x64xf32>
        memref.store %g, %out[%c0] : memref<2xf32>
        memref.store %true, %flag[] : memref<i1>
      } attributes {scope = #spmd<scope block>}
      spmd.single {
        memref.store %zero, %out[%c1] : memref<2xf32>
      }
      "gpu.return"() : () -> ()
    }) {sym_name = "parts", gpu.known_block_size = array<i32: 8, 8, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
  }) : () -> ()
}) {gpu.container_module, irtool.level = "gpu"} : () -> ()
