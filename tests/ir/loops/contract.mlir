// RUN: irtool opt %s -p contract --split-input-file | filecheck %s

// Nothing has to be packed: the vectors run along n, 6 rows and 3 columns of vectors make a tile. The epilogue is done
// on the registers, the sums themselves are never stored, and small work is for one thread.

// CHECK-LABEL: func.func private @forward
// CHECK-NOT:     memref.alloc(
// CHECK-NOT:     spmd.barrier
// CHECK:         spmd.single {
// CHECK:         %[[TILE:.*]] = memref.alloca() {{.*}}: memref<6x3xvector<16xf32>>
// CHECK:         scf.for %k = %{{.*}} to %[[K:.*]] step
// CHECK:           vector.load %w[%k, %{{.*}}] : memref<20x48xf32>, vector<16xf32>
// CHECK:           memref.load %x[%{{.*}}, %k] : memref<6x20xf32>
// CHECK:           vector.broadcast
// CHECK:           vector.fma %{{.*}} : vector<16xf32>
// CHECK:           } {unroll}
// CHECK:         } {unroll}
// CHECK:         %[[SUM:.*]] = memref.load %[[TILE]]
// CHECK:         %[[B:.*]] = vector.load %b
// CHECK:         %[[H:.*]] = arith.addf %[[SUM]], %[[B]] : vector<16xf32>
// CHECK:         %[[R:.*]] = arith.maximumf %[[H]], %{{.*}} : vector<16xf32>
// CHECK:         vector.store %[[R]], %y
// CHECK-NOT:     linalg
// CHECK:         func.return
func.func private @forward(%x: memref<6x20xf32>, %w: memref<20x48xf32>, %b: memref<48xf32>,
                           %y: memref<6x48xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %h = memref.alloc() : memref<6x48xf32>
  linalg.fill ins(%zero : f32) outs(%h : memref<6x48xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<6x20xf32>, memref<20x48xf32>) outs(%h : memref<6x48xf32>) {
  ^bb0(%a: f32, %c: f32, %sum: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%h, %b : memref<6x48xf32>, memref<48xf32>) outs(%y : memref<6x48xf32>) {
  ^bb0(%a: f32, %c: f32, %old: f32):
    %s = arith.addf %a, %c : f32
    %r = arith.maximumf %s, %zero : f32
    linalg.yield %r : f32
  }
  func.return
}

// -----

// Both factors run along k. The smaller one is turned around into panels, in squares of 16; weights are read as they are;
// finished tiles are turned around before they are stored.

// CHECK-LABEL: func.func private @transposed
// CHECK:         spmd.share %{{.*}} : index
// CHECK:         %panels = memref.alloc() {{.*}}: memref<1x2x784x32xf32>
// CHECK:         vectorx.transpose %x[{{.*}}], %panels[{{.*}}], {{.*}} {step = 784 : i64, to_step = 32 : i64, lanes = 16 : i64}
// CHECK:         spmd.barrier
// CHECK:         memref<8x2xvector<16xf32>>
// CHECK:         vector.load %panels
// CHECK:         memref.load %w
// CHECK:         vector.fma
// CHECK:         vectorx.transpose %finished[{{.*}}], %columns[{{.*}}]
// CHECK:         vector.store %{{.*}}, %y
func.func private @transposed(%x: memref<64x784xf32>, %w: memref<256x784xf32>,
                              %y: memref<64x256xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<64x256xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<64x784xf32>, memref<256x784xf32>) outs(%y : memref<64x256xf32>) {
  ^bb0(%a: f32, %c: f32, %sum: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  func.return
}

// -----

// A weight gradient updates its weights in place: the gradient is never stored. Its first factor is computed on the way
// into the strips that the micro-kernel reads.

// CHECK-LABEL: func.func private @update
// CHECK:         %strips = memref.alloc()
// CHECK-DAG:     vector.load %dy
// CHECK-DAG:     vector.load %h
// CHECK:         vectorx.cmpf ogt
// CHECK:         vectorx.select
// CHECK:         vector.store %{{.*}}, %strips
// CHECK:         spmd.barrier
// CHECK:         memref.load %strips
// CHECK:         vector.fma
// CHECK:         %[[G:.*]] = arith.mulf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK:         %[[W:.*]] = arith.subf %{{.*}}, %[[G]] : vector<16xf32>
// CHECK:         vector.store %[[W]], %w
// CHECK-NOT:     linalg
// CHECK:         func.return
func.func private @update(%dy: memref<64x256xf32>, %h: memref<64x256xf32>, %x: memref<64x784xf32>, %lr: memref<f32>,
                          %w: memref<256x784xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %dw = memref.alloc() : memref<256x784xf32>
  linalg.fill ins(%zero : f32) outs(%dw : memref<256x784xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, m)>,
                                   affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%dy, %h, %x : memref<64x256xf32>, memref<64x256xf32>, memref<64x784xf32>) outs(%dw : memref<256x784xf32>) {
  ^bb0(%a: f32, %on: f32, %c: f32, %sum: f32):
    %positive = arith.cmpf ogt, %on, %zero : f32
    %masked = arith.select %positive, %a, %zero : f32
    %p = arith.mulf %masked, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> ()>, affine_map<(m, n) -> (m, n)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%dw, %lr : memref<256x784xf32>, memref<f32>) outs(%w : memref<256x784xf32>) {
  ^bb0(%g: f32, %rate: f32, %old: f32):
    %step = arith.mulf %rate, %g : f32
    %new = arith.subf %old, %step : f32
    linalg.yield %new : f32
  }
  func.return
}

// -----

// An elementwise operation that also reads neighbours, or updates what the contraction reads, has to wait.

// CHECK-LABEL: func.func private @must_wait
// CHECK:         vector.fma
// CHECK:         vector.store %{{.*}}, %h
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%h, %w
func.func private @must_wait(%x: memref<16x16xf32>, %w: memref<16x16xf32> {irtool.out = 0 : i64})
    attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  %h = memref.alloc() : memref<16x16xf32>
  linalg.fill ins(%zero : f32) outs(%h : memref<16x16xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<16x16xf32>, memref<16x16xf32>) outs(%h : memref<16x16xf32>) {
  ^bb0(%a: f32, %c: f32, %sum: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%h, %w : memref<16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%g: f32, %a: f32, %old: f32):
    %new = arith.subf %a, %g : f32
    linalg.yield %new : f32
  }
  func.return
}

// -----

// Not sums of products, or too small to be tiled: left for lower-linalg.

// CHECK-LABEL: func.func private @left_alone
// CHECK:         linalg.generic
// CHECK:         linalg.generic
// CHECK-NOT:     vector
func.func private @left_alone(%x: memref<16x16xf32>, %row: memref<16xf32> {irtool.out = 0 : i64},
                              %dot: memref<f32> {irtool.out = 1 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%row : memref<16xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<16x16xf32>) outs(%row : memref<16xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %s = arith.addf %sum, %a : f32
    linalg.yield %s : f32
  }
  linalg.fill ins(%zero : f32) outs(%dot : memref<f32>)
  linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>, affine_map<(k) -> ()>],
                  iterator_types = ["reduction"]}
      ins(%row, %row : memref<16xf32>, memref<16xf32>) outs(%dot : memref<f32>) {
  ^bb0(%a: f32, %c: f32, %sum: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  func.return
}
