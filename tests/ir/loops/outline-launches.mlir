// RUN: irtool opt %s -p outline-launches | filecheck %s

// After a check has failed no launch does anything: each looks at the record of errors first.
// CHECK: builtin.module attributes {gpu.container_module}
// CHECK-LABEL: func.func @step
// CHECK:         "gpu.launch_func"({{.*}}, %x, %y) <{kernel = @kernels::@k,
// CHECK:         [[V:%[0-9a-z_]+]] = memref.view %workspace[%{{.*}}][] : memref<64xi8> to memref<8xf32>
// CHECK-NEXT:    "gpu.launch_func"({{.*}}, %y, [[V]]) <{kernel = @kernels::@k_2,
// CHECK-NEXT:    "gpu.launch_func"({{.*}}, %x, %y, %errors) <{kernel = @kernels::@k_3,
// CHECK:         "gpu.launch_func"({{.*}}, %y, {{.*}}, %errors) <{kernel = @kernels::@k_4,
// CHECK-NOT:     func.call
// CHECK-LABEL: "gpu.module"()
// CHECK:         "gpu.func"()
// CHECK:         ^bb0(%x: memref<700xf32>, %y: memref<700xf32>):
func.func @step(%x: memref<700xf32>, %y: memref<700xf32> {irtool.out = 0 : i64}, %errors: memref<3xi64> {irtool.result = 1 : i64, irtool.errors}, %workspace: memref<64xi8> {irtool.workspace}) {
  %w = "memref.cast"(%workspace) : (memref<64xi8>) -> memref<?xi8>
  func.call @k(%x, %y, %w) : (memref<700xf32>, memref<700xf32>, memref<?xi8>) -> ()
  spmd.stop_on_error %errors into %errors : memref<3xi64>, memref<3xi64>
  func.call @k(%x, %y, %w) : (memref<700xf32>, memref<700xf32>, memref<?xi8>) -> ()
  func.return
}
func.func private @k(%x: memref<700xf32>, %y: memref<700xf32> {irtool.out = 0 : i64}, %workspace: memref<?xi8> {irtool.workspace}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c256 = arith.constant 256 : index
  %c700 = arith.constant 700 : index
  %t = memref.view %workspace[%c0][] : memref<?xi8> to memref<8xf32>
  spmd.parallel {
    %b = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
    %first = arith.muli %b, %c256 : index
    %in = arith.cmpi slt, %first, %c700 : index
    scf.if %in {
      %v = memref.load %x[%first] : memref<700xf32>
      memref.store %v, %y[%first] : memref<700xf32>
    }
  } attributes {blocks = 3 : i64, threads = 256 : i64}
  spmd.parallel {
    %v = memref.load %y[%c0] : memref<700xf32>
    memref.store %v, %t[%c0] : memref<8xf32>
  } attributes {blocks = 1 : i64, threads = 32 : i64}
  func.return
}
// The third looks first.
// CHECK:         sym_name = "k_2"
// CHECK:         ^bb0(%x: memref<700xf32>, %y: memref<700xf32>, %errors: memref<3xi64>):
// CHECK:           [[NUMBER:%[0-9a-z_]+]] = memref.load %errors[
// CHECK-NEXT:      [[OK:%[0-9a-z_]+]] = arith.cmpi eq, [[NUMBER]], %{{.*}} : i64
// CHECK-NEXT:      scf.if [[OK]] {
// CHECK-NEXT:        "gpu.block_id"
// CHECK:         sym_name = "k_3", gpu.known_block_size = array<i32: 256, 1, 1>, gpu.known_grid_size = array<i32: 3, 1, 1>
