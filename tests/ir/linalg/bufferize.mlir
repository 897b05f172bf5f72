// RUN: irtool opt %s -p convert-hl-to-linalg,bufferize --split-input-file | filecheck %s

// The old contents, read after the update, are saved first.

// CHECK-LABEL: func.func private @late
// CHECK-SAME:    (%[[W:.*]]: memref<4xf32> {irtool.out = 0 : i64}, %[[OUT:.*]]: memref<4xf32> {irtool.out = 1 : i64}) attributes {irtool.kernel}
// CHECK-NEXT:  %[[OLD:.*]] = memref.alloc() {alignment = 64 : i64} : memref<4xf32>
// CHECK-NEXT:  linalg.generic {{.*}} ins(%[[W]] : memref<4xf32>) outs(%[[OLD]] : memref<4xf32>)
// CHECK:       linalg.generic {{.*}} ins(%[[W]] : memref<4xf32>) outs(%[[W]] : memref<4xf32>)
// CHECK:       linalg.generic {{.*}}["reduction"]} ins(%[[OLD]] : memref<4xf32>)
// CHECK:       linalg.generic {{.*}} ins(%[[W]], %{{.*}} : {{.*}}) outs(%[[OUT]] : memref<4xf32>)
func.func private @late(%w: tensor<4xf32> {irtool.tied = 0 : i64}) -> (tensor<4xf32>, tensor<4xf32>) attributes {irtool.kernel} {
  %0 = hl.exp %w : tensor<4xf32>
  %1 = hl.reverse %0 along [0] : tensor<4xf32>
  %2 = hl.reduce_sum %w over [0] : tensor<4xf32> -> tensor<f32>
  %3 = hl.broadcast %2 along [] : tensor<f32> -> tensor<4xf32>
  %4 = hl.add %1, %3 : tensor<4xf32>
  func.return %0, %4 : tensor<4xf32>, tensor<4xf32>
}

// -----

// So are those that an op reads at other indices than it writes.

// CHECK-LABEL: func.func private @elsewhere
// CHECK-NEXT:  %[[OLD:.*]] = memref.alloc()
// CHECK-NEXT:  linalg.generic {{.*}} ins(%w : memref<4xf32>) outs(%[[OLD]] : memref<4xf32>)
// CHECK:       linalg.generic {{.*}} ins(%[[OLD]] : memref<4xf32>) outs(%w : memref<4xf32>)
func.func private @elsewhere(%w: tensor<4xf32> {irtool.tied = 0 : i64}) -> tensor<4xf32> attributes {irtool.kernel} {
  %0 = hl.reverse %w along [0] : tensor<4xf32>
  %1 = hl.exp %0 : tensor<4xf32>
  func.return %1 : tensor<4xf32>
}

// -----

// Results go to arguments, also through a reshape: another view of the argument's bytes.

// CHECK-LABEL: func.func @host
// CHECK-SAME:    (%[[X:.*]]: memref<4x2xf32>, %[[W:.*]]: memref<8xf32> {irtool.result = 1 : i64}, %[[A:.*]]: memref<8xf32> {irtool.out = 0 : i64}, %[[B:.*]]: memref<4x2xf32> {irtool.out = 2 : i64})
// CHECK-NEXT:  %[[V:.*]] = memref.reinterpret_cast %[[A]] to offset: [0], sizes: [4, 2], strides: [2, 1] : memref<8xf32> to memref<4x2xf32>
// CHECK-NEXT:  func.call @exp(%[[X]], %[[V]]) : (memref<4x2xf32>, memref<4x2xf32>) -> ()
// CHECK-NEXT:  %[[F:.*]] = memref.reinterpret_cast %[[V]]
// CHECK-NEXT:  func.call @exp8(%[[F]], %[[W]])
// CHECK-NEXT:  func.call @exp(%[[X]], %[[B]])
// CHECK-NEXT:  func.return
// CHECK-NOT:   memref.alloc
func.func @host(%x: tensor<4x2xf32>, %w: tensor<8xf32> {irtool.result = 1 : i64}) -> (tensor<8xf32>, tensor<8xf32>, tensor<4x2xf32>) {
  %0 = func.call @exp(%x) : (tensor<4x2xf32>) -> tensor<4x2xf32>
  %1 = hl.reshape %0 : tensor<4x2xf32> -> tensor<8xf32>
  %2 = func.call @exp8(%1) : (tensor<8xf32>) -> tensor<8xf32>
  %3 = func.call @exp(%x) : (tensor<4x2xf32>) -> tensor<4x2xf32>
  func.return %1, %2, %3 : tensor<8xf32>, tensor<8xf32>, tensor<4x2xf32>
}
func.func private @exp(%x: tensor<4x2xf32>) -> tensor<4x2xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<4x2xf32>
  func.return %0 : tensor<4x2xf32>
}
func.func private @exp8(%x: tensor<8xf32>) -> tensor<8xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<8xf32>
  func.return %0 : tensor<8xf32>
}

// -----

// Temporaries of a kernel are buffers; a small constant is stored element by element.

// CHECK-LABEL: func.func private @temporaries
// CHECK:       %[[A:.*]] = memref.alloc() {alignment = 64 : i64} : memref<4xf32>
// CHECK-NEXT:  linalg.fill ins(%{{.*}} : f32) outs(%[[A]] : memref<4xf32>)
// CHECK:       %[[D:.*]] = memref.alloc() {alignment = 64 : i64} : memref<4xf32>
// CHECK-COUNT-4: memref.store %{{.*}}, %{{.*}}[%{{.*}}] : memref<4xf32>
// CHECK:       func.return
// CHECK-NOT:   tensor
func.func private @temporaries(%x: tensor<4x8xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  %0 = hl.reduce_max %x over [1] : tensor<4x8xf32> -> tensor<4xf32>
  %1 = hl.reduce_min %x over [1] : tensor<4x8xf32> -> tensor<4xf32>
  %2 = hl.sub %0, %1 : tensor<4xf32>
  %3 = hl.constant dense [1.0, 2.0, 3.0, 4.0] : tensor<4xf32>
  %4 = hl.mul %2, %3 : tensor<4xf32>
  func.return %4 : tensor<4xf32>
}
