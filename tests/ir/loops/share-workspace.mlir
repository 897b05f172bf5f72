// RUN: irtool opt %s -p "hoist-workspace{workspace_bytes=300}" | filecheck %s

// Two calls have places of their own; for a third one there is no room, and it takes the first one's.

// CHECK-LABEL: func.func @step
// CHECK-SAME:    %workspace: memref<300xi8> {irtool.workspace}
// CHECK:         [[C0:%[0-9a-z_]+]] = arith.constant 0 : index
// CHECK:         [[C128:%[0-9a-z_]+]] = arith.constant 128 : index
// CHECK:         [[A:%[0-9a-z_]+]] = memref.view %workspace{{\[}}[[C0]]][] : memref<300xi8> to memref<128xi8>
// CHECK-NEXT:    [[U:%[0-9a-z_]+]] = "memref.cast"([[A]])
// CHECK-NEXT:    [[B:%[0-9a-z_]+]] = memref.view %workspace{{\[}}[[C128]]][]
// CHECK-NEXT:    [[V:%[0-9a-z_]+]] = "memref.cast"([[B]])
// CHECK-NEXT:    [[C:%[0-9a-z_]+]] = memref.view %workspace{{\[}}[[C0]]][]
// CHECK-NEXT:    [[W:%[0-9a-z_]+]] = "memref.cast"([[C]])
// CHECK-NEXT:    func.call @k(%x, [[U]])
// CHECK-NEXT:    func.call @k(%x, [[V]])
// CHECK-NEXT:    func.call @k(%x, [[W]])
func.func @step(%x: memref<32xf32>) {
  func.call @k(%x) : (memref<32xf32>) -> ()
  func.call @k(%x) : (memref<32xf32>) -> ()
  func.call @k(%x) : (memref<32xf32>) -> ()
  func.return
}

func.func private @k(%x: memref<32xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %t = memref.alloc() : memref<32xf32>
  %a = memref.load %x[%c0] : memref<32xf32>
  memref.store %a, %t[%c0] : memref<32xf32>
  func.return
}
