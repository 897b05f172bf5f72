// RUN: not irtool translate --to c %s 2>&1 | filecheck %s

// CHECK: errors.mlir:{{[0-9]+}}:{{[0-9]+}}: error: no C for memref.alloc

func.func private @k(%x: memref<4xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %me = spmd.thread_id : index
  %0 = memref.alloc() : memref<4xf32>
  %1 = memref.load %x[%c0] : memref<4xf32>
  spmd.single {
    memref.store %1, %0[%c0] : memref<4xf32>
  }
  func.return
}
func.func @step(%x: memref<4xf32>, %workspace: memref<?xi8> {irtool.workspace}) {
  func.return
}
