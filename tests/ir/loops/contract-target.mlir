// RUN: irtool opt %s -p "contract{vector_bits=256 registers=16}" | filecheck %s

// Half the vector and half the registers: 8 lanes, and a tile of at most 15 registers.

// CHECK-LABEL: func.func private @forward
// CHECK:         memref<{{[46]x[23]}}xvector<8xf32>>
// CHECK:         vector.load %w[%k, %{{.*}}] : memref<20x48xf32>, vector<8xf32>
// CHECK:         vector.fma %{{.*}} : vector<8xf32>
func.func private @forward(%x: memref<12x20xf32>, %w: memref<20x48xf32>,
                           %y: memref<12x48xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<12x48xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                   affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<12x20xf32>, memref<20x48xf32>) outs(%y : memref<12x48xf32>) {
  ^bb0(%a: f32, %c: f32, %sum: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  func.return
}
