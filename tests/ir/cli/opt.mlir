// RUN: irtool opt %s -p "simplify,group" --verify-each | filecheck %s --check-prefix=PASSES
// RUN: irtool opt %s --pipeline cpu --stop-after memref --print-ir-after-all --timing 2>%t.log | filecheck %s --check-prefix=MEMREF
// RUN: filecheck %s --check-prefix=LOG --input-file %t.log
// RUN: irtool opt %s --stop-after linalg | irtool opt - --pipeline cpu --target avx2 | filecheck %s --check-prefix=AVX2
// RUN: irtool opt %s -p "group,convert-hl-to-linalg,split-reductions{min_work=16 chunks=2}" | filecheck %s --check-prefix=SPLIT

// PASSES:      func.call @sum(%x)
// PASSES-NOT:  hl.neg

// MEMREF-NOT:  IR after
// MEMREF:      func.func @step(%x: memref<16384xf32>, %{{.*}}: memref<f32> {irtool.out = 0 : i64}, %arena: memref<{{.*}}xi8> {irtool.arena})
// MEMREF-NOT:  IR after

// LOG:         ms  differentiate
// LOG:         // IR after group
// LOG:         func.call @sum(%x) : (tensor<16384xf32>) -> tensor<f32>
// LOG:         // IR after bufferize
// LOG:         // IR after plan-memory
// LOG-NOT:     // IR after

// AVX2:        vector<8xf32>
// AVX2-NOT:    vector<16xf32>

// SPLIT:       tensor.empty() : tensor<2xf32>

func.func @step(%x: tensor<16384xf32>) -> tensor<f32> {
  %0 = hl.neg %x : tensor<16384xf32>
  %1 = hl.neg %0 : tensor<16384xf32>
  %2 = hl.reduce_sum %1 over [0] : tensor<16384xf32> -> tensor<f32>
  func.return %2 : tensor<f32>
}
