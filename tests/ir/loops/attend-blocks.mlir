// RUN: irtool opt %s -p attend-blocks | filecheck %s

// A block has 64 queries and goes through the keys up to the last of them: two numbers a row say how far it is.
// CHECK-LABEL: func.func private @attention
// CHECK:         spmd.parallel {
// CHECK-DAG:       %queries = memref.alloc() {spmd.space = #spmd<space team>} : memref<64x33xf32>
// CHECK-DAG:       %keys = memref.alloc() {spmd.space = #spmd<space team>} : memref<64x33xf32>
// CHECK-DAG:       %weights = memref.alloc() {spmd.space = #spmd<space team>} : memref<64x65xf32>
// CHECK-DAG:       %top = memref.alloca() : memref<4xf32>
// CHECK-DAG:       %total = memref.alloca() : memref<4xf32>
// CHECK-DAG:       %sums = memref.alloca() : memref<4x2xf32>
// CHECK:           %[[END:.*]] = arith.minsi %{{.*}}, %{{.*}} : index
// CHECK:           scf.for %key = %{{.*}} to %[[END]]
// CHECK:             spmd.barrier {scope = #spmd<scope block>}
// CHECK:             memref.load %k[
// CHECK:             spmd.barrier {scope = #spmd<scope block>}
// CHECK:             arith.cmpi sle
// CHECK:             arith.maximumf
// CHECK:             spmd.barrier {scope = #spmd<scope block>}
// CHECK:             memref.load %v[
// CHECK:             math.exp
// CHECK:             memref.store %{{.*}}, %weights
// CHECK:             spmd.barrier {scope = #spmd<scope block>}
// CHECK:           arith.divf
// CHECK:           memref.store %{{.*}}, %y[
// CHECK:           math.log
// CHECK:           memref.store %{{.*}}, %l[
// CHECK:         } attributes {blocks = 8 : i64, threads = 256 : i64}
// CHECK-NOT:     linalgx
func.func private @attention(%q: memref<4x100x24xf32>, %k: memref<4x100x24xf32>, %v: memref<4x100x32xf32>, %y: memref<4x100x32xf32> {irtool.out = 0 : i64}, %l: memref<4x100xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  linalgx.attention causal scale 0.25 ins(%q, %k, %v : memref<4x100x24xf32>, memref<4x100x24xf32>, memref<4x100x32xf32>) outs(%y, %l : memref<4x100x32xf32>, memref<4x100xf32>)
  func.return
}

// The weights again, from the logarithms of their sums: by blocks of queries, then by blocks of keys.
// CHECK-LABEL: func.func private @gradient
// CHECK:         spmd.parallel {
// CHECK:           scf.for %other = %{{.*}} to %{{.*}} step
// CHECK:             memref.load %l[
// CHECK:             math.exp
// CHECK:             memref.load %d[
// CHECK:             memref.store %{{.*}}, %by_scores
// CHECK:           memref.store %{{.*}}, %dq[
// CHECK:         } attributes {blocks = 8 : i64, threads = 256 : i64}
// CHECK:         spmd.parallel {
// CHECK:           scf.for %other
// CHECK:             memref.store %{{.*}}, %weights
// CHECK:           memref.store %{{.*}}, %dk[
// CHECK:           memref.store %{{.*}}, %dv[
// CHECK:         } attributes {blocks = {{.*}} : i64, threads = {{.*}} : i64}
// CHECK-NOT:     linalgx
func.func private @gradient(%q: memref<4x100x24xf32>, %k: memref<4x100x24xf32>, %v: memref<4x100x32xf32>, %l: memref<4x100xf32>, %d: memref<4x100xf32>, %dy: memref<4x100x32xf32>, %dq: memref<4x100x24xf32> {irtool.out = 0 : i64}, %dk: memref<4x100x24xf32> {irtool.out = 1 : i64}, %dv: memref<4x100x32xf32> {irtool.out = 2 : i64}) attributes {irtool.kernel} {
  linalgx.attention_query_gradient causal scale 0.25 ins(%q, %k, %v, %l, %d, %dy : memref<4x100x24xf32>, memref<4x100x24xf32>, memref<4x100x32xf32>, memref<4x100xf32>, memref<4x100xf32>, memref<4x100x32xf32>) outs(%dq : memref<4x100x24xf32>)
  linalgx.attention_key_gradient causal scale 0.25 ins(%q, %k, %v, %l, %d, %dy : memref<4x100x24xf32>, memref<4x100x24xf32>, memref<4x100x32xf32>, memref<4x100xf32>, memref<4x100xf32>, memref<4x100x32xf32>) outs(%dk, %dv : memref<4x100x24xf32>, memref<4x100x32xf32>)
  func.return
}

// A mask is read where it is, and repeats.
// CHECK-LABEL: func.func private @masked
// CHECK:         arith.addf %{{.*}}, %{{.*}} : f32
// CHECK:         memref.load %m[%{{.*}}, %{{.*}}] : memref<20x1xf32>
// CHECK-NOT:     linalgx
func.func private @masked(%q: memref<20x16xf32>, %k: memref<33x16xf32>, %v: memref<33x16xf32>, %m: memref<20x1xf32>, %y: memref<20x16xf32> {irtool.out = 0 : i64}, %l: memref<20xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  linalgx.attention scale 1.0 ins(%q, %k, %v, %m : memref<20x16xf32>, memref<33x16xf32>, memref<33x16xf32>, memref<20x1xf32>) outs(%y, %l : memref<20x16xf32>, memref<20xf32>)
  func.return
}
