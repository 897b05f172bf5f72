// RUN: not irtool translate --to cuda %s 2>&1 | filecheck %s

// CHECK: cuda-errors.mlir:{{[0-9]+}}:{{[0-9]+}}: error: no CUDA for a barrier of the grid: it is where a launch ends

"builtin.module"() <{sym_name = "m"}> ({
  func.func @step(%x: memref<64xf32>, %workspace: memref<0xi8> {irtool.workspace}) {
    func.return
  }
  "gpu.module"() <{sym_name = "kernels"}> ({
    "gpu.func"() <{function_type = (memref<64xf32>) -> (), kernel}> ({
    ^bb0(%x: memref<64xf32>):
      spmd.barrier
      "gpu.return"() : () -> ()
    }) {sym_name = "k", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
  }) : () -> ()
}) {gpu.container_module, irtool.level = "gpu"} : () -> ()
