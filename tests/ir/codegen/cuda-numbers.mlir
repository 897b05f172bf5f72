// RUN: irtool translate --to cuda %s | filecheck %s --match-full-lines --strict-whitespace

// Integers wrap, whatever their signs; vectors are a class with C's operators, and a file has the functions on them that it
// needs.

// CHECK:typedef vec<float, 4> v4f;
// CHECK:DEVICE v4f load_v4f(const float *p) { return load_lanes<float, 4>(p); }
// CHECK:DEVICE v4f exp_v4f(v4f x) { v4f r; LANES for (int i = 0; i < 4; i++) r[i] = expf(x[i]); return r; }
// CHECK:extern "C" __global__ void __launch_bounds__(32) numbers(const float *__restrict__ x, const long *__restrict__ n,
// CHECK-NEXT:                                                         float *__restrict__ y, long *__restrict__ m)
// CHECK-NEXT:{
// CHECK-NEXT:    const long t = threadIdx.x;
// CHECK-NEXT:    const long threads = blockDim.x;
// CHECK-NEXT:    float a = x[t];
// CHECK-NEXT:    y[t] = rintf(a) + erff(rsqrtf(a)) + (float)threads;
// CHECK-NEXT:    long k = n[t];
// CHECK-NEXT:    m[t] = sub_i64(mul_i64(add_i64(k, 5), k), mulhi_u64(k, k));
// CHECK-NEXT:    const bool all = block_all_of<32>(k > 0);
// CHECK-NEXT:    const long least = (long)block_smallest<32>((u64)k);
// CHECK-NEXT:    m[0] = all ? least : 0;
// CHECK-NEXT:    v4f w = load_v4f(&x[0]);
// CHECK-NEXT:    store_v4f(&y[0], select_v4f(w < exp_v4f(w), w * 2.0f, exp_v4f(w)));
// CHECK-NEXT:    y[1] = float_as_int(a) > 3 ? a : sum_v4f(w);
// CHECK-NEXT:}

"builtin.module"() <{sym_name = "m"}> ({
  func.func @step(%x: memref<64x1000xf32>, %workspace: memref<0xi8> {irtool.workspace}) {
    func.return
  }
  "gpu.module"() <{sym_name = "kernels"}> ({
    "gpu.func"() <{function_type = (memref<32xf32>, memref<32xi64>, memref<32xf32>, memref<32xi64>) -> (), kernel}> ({
    ^bb0(%x: memref<32xf32>, %n: memref<32xi64>, %y: memref<32xf32>, %m: memref<32xi64>):
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %threads = "gpu.block_dim"() <{dimension = #gpu<dim x>}> : () -> index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0 : i64
      %three = arith.constant 3 : i32
      %five = arith.constant 5 : i64
      %two = arith.constant dense<2.0> : vector<4xf32>
      %a = memref.load %x[%t] : memref<32xf32>
      %r = math.roundeven %a : f32
      %q = math.rsqrt %a : f32
      %e = math.erf %q : f32
      %s = arith.addf %r, %e : f32
      %ti = arith.index_cast %threads : index to i64
      %tf = arith.sitofp %ti : i64 to f32
      %u = arith.addf %s, %tf : f32
      memref.store %u, %y[%t] : memref<32xf32>
      %k = memref.load %n[%t] : memref<32xi64>
      %k5 = arith.addi %k, %five : i64
      %kk = arith.muli %k5, %k : i64
      %low, %high = arith.mului_extended %k, %k : i64
      %l = arith.subi %kk, %high : i64
      memref.store %l, %m[%t] : memref<32xi64>
      %p = arith.cmpi sgt, %k, %zero : i64
      %all = gpux.reduce and %p : i1
      %least = gpux.reduce minui %k : i64
      %o1 = arith.select %all, %least, %zero : i64
      memref.store %o1, %m[%c0] : memref<32xi64>
      %w = vector.load %x[%c0] : memref<32xf32>, vector<4xf32>
      %we = math.exp %w : vector<4xf32>
      %o = vectorx.cmpf olt, %w, %we : vector<4xf32>
      %w2 = arith.mulf %w, %two : vector<4xf32>
      %we2 = math.exp %w : vector<4xf32>
      %sel = vectorx.select %o, %w2, %we2 : vector<4xf32>
      vector.store %sel, %y[%c0] : memref<32xf32>, vector<4xf32>
      %bits = arith.bitcast %a : f32 to i32
      %large = arith.cmpi sgt, %bits, %three : i32
      %sum = vector.reduction <add>, %w : vector<4xf32> into f32
      %z = arith.select %large, %a, %sum : f32
      memref.store %z, %y[%c1] : memref<32xf32>
      "gpu.return"() : () -> ()
    }) {sym_name = "numbers", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
  }) : () -> ()
}) {gpu.container_module, irtool.level = "gpu"} : () -> ()
