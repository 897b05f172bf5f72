// RUN: irtool opt %s -p combine-launches --split-input-file | filecheck %s

// @a and @c do not depend on one another: one launch of all their blocks. @b reads what @a writes, and comes after.
// CHECK-LABEL: func.func @step
// CHECK:         "gpu.launch_func"([[N:%[0-9a-z_]+]], {{.*}}, %x, %y, %z) <{kernel = @kernels::@a_and_1_more,
// CHECK:         "gpu.launch_func"({{.*}}, %y, %x) <{kernel = @kernels::@a,
// CHECK:         "gpu.func"() <{function_type = (memref<64xf32>, memref<64xf32>, memref<64xf32>) -> (), kernel}> ({
// CHECK-NEXT:    ^bb0(%x: memref<64xf32>, %y: memref<64xf32>, %z: memref<64xf32>):
// CHECK:           [[B:%[0-9a-z_]+]] = "gpu.block_id"()
// CHECK:           [[FIRST:%[0-9a-z_]+]] = arith.cmpi slt, [[B]], %{{.*}} : index
// CHECK-NEXT:      scf.if [[FIRST]] {
// CHECK:             memref.store %{{.*}}, %y[
// CHECK-NEXT:      } else {
// CHECK-NEXT:        [[OWN:%[0-9a-z_]+]] = arith.subi [[B]], %{{.*}} : index
// CHECK:             arith.muli [[OWN]], %{{.*}} : index
// CHECK:             memref.store %{{.*}}, %z[
// CHECK:         sym_name = "a_and_1_more", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 4, 1, 1>
// CHECK-NOT:     sym_name = "c"
builtin.module attributes {gpu.container_module} {
  func.func @step(%x: memref<64xf32>, %y: memref<64xf32>, %z: memref<64xf32>) {
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c32 = arith.constant 32 : index
    "gpu.launch_func"(%c2, %c1, %c1, %c32, %c1, %c1, %x, %y) <{kernel = @kernels::@a, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 0>}> : (index, index, index, index, index, index, memref<64xf32>, memref<64xf32>) -> ()
    "gpu.launch_func"(%c2, %c1, %c1, %c32, %c1, %c1, %y, %x) <{kernel = @kernels::@a, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 0>}> : (index, index, index, index, index, index, memref<64xf32>, memref<64xf32>) -> ()
    "gpu.launch_func"(%c2, %c1, %c1, %c32, %c1, %c1, %z) <{kernel = @kernels::@c, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0>}> : (index, index, index, index, index, index, memref<64xf32>) -> ()
    func.return
  }
  "gpu.module"() <{sym_name = "kernels"}> ({
    "gpu.func"() <{function_type = (memref<64xf32>, memref<64xf32>) -> (), kernel}> ({
    ^bb0(%x: memref<64xf32>, %y: memref<64xf32>):
      %c32 = arith.constant 32 : index
      %b = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %first = arith.muli %b, %c32 : index
      %i = arith.addi %first, %t : index
      %v = memref.load %x[%i] : memref<64xf32>
      memref.store %v, %y[%i] : memref<64xf32>
      "gpu.return"() : () -> ()
    }) {sym_name = "a", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 2, 1, 1>} : () -> ()
    "gpu.func"() <{function_type = (memref<64xf32>) -> (), kernel}> ({
    ^bb0(%z: memref<64xf32>):
      %zero = arith.constant 0.0 : f32
      %c32 = arith.constant 32 : index
      %b = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %first = arith.muli %b, %c32 : index
      %i = arith.addi %first, %t : index
      memref.store %zero, %z[%i] : memref<64xf32>
      "gpu.return"() : () -> ()
    }) {sym_name = "c", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 2, 1, 1>} : () -> ()
  }) : () -> ()
}

// -----

// Blocks of 64 threads, of which those of the second part use 32: these wait for one another without the rest.
// CHECK-LABEL: func.func @unlike
// CHECK:         kernel = @kernels::@wide_and_1_more
// CHECK-NOT:     gpu.launch_func
// CHECK:         spmd.barrier {scope = #spmd<scope block>}
// CHECK:         [[HERE:%[0-9a-z_]+]] = arith.cmpi slt, %{{[0-9a-z_]+}}, %{{[0-9a-z_]+}} : index
// CHECK-NEXT:    scf.if [[HERE]] {
// CHECK:           gpux.reduce add %{{[0-9a-z_]+}} {threads = 32 : i64} : f32
// CHECK:           spmd.barrier {threads = 32 : i64, scope = #spmd<scope block>}
builtin.module attributes {gpu.container_module} {
  func.func @unlike(%x: memref<64xf32>, %y: memref<64xf32>) {
    %c1 = arith.constant 1 : index
    %c32 = arith.constant 32 : index
    %c64 = arith.constant 64 : index
    "gpu.launch_func"(%c1, %c1, %c1, %c64, %c1, %c1, %x) <{kernel = @kernels::@wide, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0>}> : (index, index, index, index, index, index, memref<64xf32>) -> ()
    "gpu.launch_func"(%c1, %c1, %c1, %c32, %c1, %c1, %y) <{kernel = @kernels::@narrow, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0>}> : (index, index, index, index, index, index, memref<64xf32>) -> ()
    func.return
  }
  "gpu.module"() <{sym_name = "kernels"}> ({
    "gpu.func"() <{function_type = (memref<64xf32>) -> (), kernel}> ({
    ^bb0(%x: memref<64xf32>):
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %v = memref.load %x[%t] : memref<64xf32>
      spmd.barrier {scope = #spmd<scope block>}
      memref.store %v, %x[%t] : memref<64xf32>
      "gpu.return"() : () -> ()
    }) {sym_name = "wide", gpu.known_block_size = array<i32: 64, 1, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
    "gpu.func"() <{function_type = (memref<64xf32>) -> (), kernel}> ({
    ^bb0(%y: memref<64xf32>):
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
      %v = memref.load %y[%t] : memref<64xf32>
      %s = gpux.reduce add %v : f32
      spmd.barrier {scope = #spmd<scope block>}
      memref.store %s, %y[%t] : memref<64xf32>
      "gpu.return"() : () -> ()
    }) {sym_name = "narrow", gpu.known_block_size = array<i32: 32, 1, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
  }) : () -> ()
}
