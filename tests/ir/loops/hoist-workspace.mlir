// RUN: irtool opt %s -p hoist-workspace,share-workspace | filecheck %s

// The host's buffer is as large as the neediest kernel wants; a kernel without temporaries is left alone.

// CHECK-LABEL: func.func @step
// CHECK-SAME:    %workspace: memref<448xi8> {irtool.workspace}
// CHECK:         %[[W:.*]] = "memref.cast"(%workspace) : (memref<448xi8>) -> memref<?xi8>
// CHECK:         func.call @needs(%x, %[[W]]) : (memref<64xf32>, memref<?xi8>) -> ()
// CHECK:         func.call @plain(%x) : (memref<64xf32>) -> ()
func.func @step(%x: memref<64xf32>) {
  func.call @needs(%x) : (memref<64xf32>) -> ()
  func.call @plain(%x) : (memref<64xf32>) -> ()
  func.return
}

// CHECK-LABEL: func.func private @needs
// CHECK-SAME:    %workspace: memref<?xi8> {irtool.workspace}
// CHECK:         %t = memref.view %workspace[%{{.*}}][] : memref<?xi8> to memref<90xf32>
// CHECK:         %u = memref.view %workspace[%[[O:.*]]][] : memref<?xi8> to memref<9xi1>
func.func private @needs(%x: memref<64xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %true = arith.constant true
  %t = memref.alloc() : memref<90xf32>
  %u = memref.alloc() : memref<9xi1>
  %a = memref.load %x[%c0] : memref<64xf32>
  memref.store %a, %t[%c0] : memref<90xf32>
  memref.store %true, %u[%c0] : memref<9xi1>
  func.return
}

// CHECK-LABEL: func.func private @plain
// CHECK-NOT:     workspace
func.func private @plain(%x: memref<64xf32>) attributes {irtool.kernel} {
  func.return
}
