// RUN: irtool opt %s -p narrow-indices | filecheck %s

// CHECK-LABEL: "gpu.module"()

// Places and counters fit; the index that is data does where it is kept inside of the buffer.
// CHECK:         ^bb0(%x: memref<700xf32>, %n: memref<700xi64>, %y: memref<700xf32>):
// CHECK:           %block = "gpu.block_id"()
// CHECK-NEXT:      [[B:%[0-9a-z_]+]] = arith.index_cast %block : index to i32
// CHECK:           [[T:%[0-9a-z_]+]] = arith.index_cast %{{.*}} : index to i32
// CHECK:           [[F:%[0-9a-z_]+]] = arith.muli [[B]], %{{[0-9a-z_]+}} overflow<nsw> : i32
// CHECK-NEXT:      [[P:%[0-9a-z_]+]] = arith.addi [[F]], [[T]] overflow<nsw> : i32
// CHECK-NEXT:      [[I:%[0-9a-z_]+]] = arith.index_cast [[P]] : i32 to index
// CHECK-NEXT:      arith.cmpi slt, [[P]], %{{[0-9a-z_]+}} : i32
// CHECK:             [[D:%[0-9a-z_]+]] = memref.load %n{{\[}}[[I]]]
// CHECK-NEXT:        [[W:%[0-9a-z_]+]] = arith.index_cast [[D]] : i64 to index
// CHECK-NEXT:        [[U:%[0-9a-z_]+]] = arith.maxsi [[W]], %{{.*}} : index
// CHECK-NEXT:        [[K:%[0-9a-z_]+]] = arith.minsi [[U]], %{{.*}} : index
// CHECK-NEXT:        [[N:%[0-9a-z_]+]] = arith.index_cast [[K]] : index to i32
// CHECK-NEXT:        [[H:%[0-9a-z_]+]] = arith.divsi [[N]], %{{.*}} : i32
// CHECK:             scf.for [[J:%[0-9a-z_]+]] = %{{.*}} to %{{.*}} step %{{.*}} : i32 {
// CHECK-NEXT:          [[A:%[0-9a-z_]+]] = arith.index_cast [[J]] : i32 to index
// CHECK-NEXT:          memref.load %x{{\[}}[[A]]]

// A place behind 2^31: the product does not fit, nor does what is made of it. The number of the block does.
// CHECK:         ^bb0(%x: memref<3000000000xi8>):
// CHECK:           %block = "gpu.block_id"()
// CHECK:           [[F:%[0-9a-z_]+]] = arith.muli %block, %{{[0-9a-z_]+}} : index
// CHECK:           arith.addi [[F]], %{{[0-9a-z_]+}} : index

// A counter that fits, and would not when it takes the last step.
// CHECK:         ^bb0(%x: memref<2147483647xi8>):
// CHECK:           scf.for %{{[0-9a-z_]+}} = %{{.*}} to %{{.*}} step %{{.*}} {
"gpu.module"() <{sym_name = "kernels"}> ({
  "gpu.func"() <{function_type = (memref<700xf32>, memref<700xi64>, memref<700xf32>) -> (), kernel}> ({
  ^bb0(%x: memref<700xf32>, %n: memref<700xi64>, %y: memref<700xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c256 = arith.constant 256 : index
    %c699 = arith.constant 699 : index
    %c700 = arith.constant 700 : index
    %block = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
    %thread = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
    %first = arith.muli %block, %c256 : index
    %p = arith.addi %first, %thread : index
    %in = arith.cmpi slt, %p, %c700 : index
    scf.if %in {
      %d = memref.load %n[%p] : memref<700xi64>
      %w = arith.index_cast %d : i64 to index
      %u = arith.maxsi %w, %c0 : index
      %k = arith.minsi %u, %c699 : index
      %h = arith.divui %k, %c2 : index
      scf.for %j = %c0 to %h step %c1 {
        %v = memref.load %x[%j] : memref<700xf32>
        memref.store %v, %y[%p] : memref<700xf32>
      }
    }
    "gpu.return"() : () -> ()
  }) {sym_name = "near", gpu.known_block_size = array<i32: 256, 1, 1>, gpu.known_grid_size = array<i32: 3, 1, 1>} : () -> ()
  "gpu.func"() <{function_type = (memref<3000000000xi8>) -> (), kernel}> ({
  ^bb0(%x: memref<3000000000xi8>):
    %c256 = arith.constant 256 : index
    %zero = arith.constant 0 : i8
    %block = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
    %thread = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
    %first = arith.muli %block, %c256 : index
    %p = arith.addi %first, %thread : index
    memref.store %zero, %x[%p] : memref<3000000000xi8>
    "gpu.return"() : () -> ()
  }) {sym_name = "far", gpu.known_block_size = array<i32: 256, 1, 1>, gpu.known_grid_size = array<i32: 11718750, 1, 1>} : () -> ()
  "gpu.func"() <{function_type = (memref<2147483647xi8>) -> (), kernel}> ({
  ^bb0(%x: memref<2147483647xi8>):
    %zero = arith.constant 0 : i8
    %c256 = arith.constant 256 : index
    %end = arith.constant 2147483647 : index
    %thread = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
    scf.for %i = %thread to %end step %c256 {
      memref.store %zero, %x[%i] : memref<2147483647xi8>
    }
    "gpu.return"() : () -> ()
  }) {sym_name = "edge", gpu.known_block_size = array<i32: 256, 1, 1>, gpu.known_grid_size = array<i32: 1, 1, 1>} : () -> ()
}) : () -> ()
