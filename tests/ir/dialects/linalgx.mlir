// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @tensors
func.func @tensors(%i: tensor<3x5xi64>, %u: tensor<3x5x8xf32>, %b: tensor<3x10x8xf32>, %d: tensor<?x8xf32>, %j: tensor<?xi32>,
                   %v: tensor<?x8xf32>) -> tensor<3x10x8xf32> {
  // CHECK-NEXT: %r = linalgx.scatter_add axis 1 batch_dims 1 ins(%i, %u : tensor<3x5xi64>, tensor<3x5x8xf32>) outs(%b : tensor<3x10x8xf32>) -> tensor<3x10x8xf32>
  %r = linalgx.scatter_add axis 1 batch_dims 1
    ins(%i, %u : tensor<3x5xi64>, tensor<3x5x8xf32>) outs(%b : tensor<3x10x8xf32>) -> tensor<3x10x8xf32>
  // CHECK-NEXT: linalgx.scatter_add axis 0 batch_dims 0 ins(%j, %v : tensor<?xi32>, tensor<?x8xf32>) outs(%d : tensor<?x8xf32>) -> tensor<?x8xf32>
  %s = linalgx.scatter_add axis 0 batch_dims 0
    ins(%j, %v : tensor<?xi32>, tensor<?x8xf32>) outs(%d : tensor<?x8xf32>) -> tensor<?x8xf32>
  func.return %r : tensor<3x10x8xf32>
}

// CHECK-LABEL: func.func @buffers
func.func @buffers(%i: memref<5xi64>, %u: memref<5x8xf32>, %b: memref<10x8xf32>) {
  // CHECK-NEXT: linalgx.scatter_add axis 0 batch_dims 0 ins(%i, %u : memref<5xi64>, memref<5x8xf32>) outs(%b : memref<10x8xf32>)
  linalgx.scatter_add axis 0 batch_dims 0 ins(%i, %u : memref<5xi64>, memref<5x8xf32>) outs(%b : memref<10x8xf32>)
  func.return
}

// CHECK-LABEL: func.func @others
func.func @others(%i: tensor<5xi64>, %u: tensor<5x8xf32>, %b: tensor<10x8xf32>, %x: memref<4x9xf32>, %y: memref<4x9xf32>,
                  %k: memref<4x9xi64>) -> tensor<10x8xf32> {
  // CHECK-NEXT: linalgx.scatter axis 0 batch_dims 0 ins(%i, %u : tensor<5xi64>, tensor<5x8xf32>) outs(%b : tensor<10x8xf32>) -> tensor<10x8xf32>
  %r = linalgx.scatter axis 0 batch_dims 0 ins(%i, %u : tensor<5xi64>, tensor<5x8xf32>) outs(%b : tensor<10x8xf32>) -> tensor<10x8xf32>
  // CHECK-NEXT: linalgx.cumulate sum dimension 1 ins(%x : memref<4x9xf32>) outs(%y : memref<4x9xf32>)
  linalgx.cumulate sum dimension 1 ins(%x : memref<4x9xf32>) outs(%y : memref<4x9xf32>)
  // CHECK-NEXT: linalgx.cumulate recurrence dimension 0 reverse ins(%x, %x : memref<4x9xf32>, memref<4x9xf32>) outs(%y : memref<4x9xf32>)
  linalgx.cumulate recurrence dimension 0 reverse ins(%x, %x : memref<4x9xf32>, memref<4x9xf32>) outs(%y : memref<4x9xf32>)
  // CHECK-NEXT: linalgx.sort dimension 1 descending ins(%x : memref<4x9xf32>) outs(%y, %k : memref<4x9xf32>, memref<4x9xi64>)
  linalgx.sort dimension 1 descending ins(%x : memref<4x9xf32>) outs(%y, %k : memref<4x9xf32>, memref<4x9xi64>)
  func.return %r : tensor<10x8xf32>
}

// CHECK-LABEL: func.func @record
func.func @record(%s: tensor<i64>, %x: tensor<2x3xi8>, %r: tensor<3xi64>) -> tensor<3xi64> {
  // CHECK-NEXT: linalgx.record outside_but low -2 high 10 allowed -100 number 3 unsigned ins(%s, %x : tensor<i64>, tensor<2x3xi8>) outs(%r : tensor<3xi64>) -> tensor<3xi64>
  %0 = linalgx.record outside_but low -2 high 10 allowed -100 number 3 unsigned
    ins(%s, %x : tensor<i64>, tensor<2x3xi8>) outs(%r : tensor<3xi64>) -> tensor<3xi64>
  func.return %0 : tensor<3xi64>
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: memref<2x5x4xf32>, %k: memref<2x3x4xf32>, %v: memref<2x3x6xf32>, %m: memref<5x1xi1>, %l: memref<2x5xf32>, %y: memref<2x5x6xf32>) {
  // CHECK-NEXT: linalgx.attention causal scale 0.25 ins(%q, %k, %v, %m : memref<2x5x4xf32>, memref<2x3x4xf32>, memref<2x3x6xf32>, memref<5x1xi1>) outs(%y, %l : memref<2x5x6xf32>, memref<2x5xf32>)
  linalgx.attention causal scale 0.25 ins(%q, %k, %v, %m : memref<2x5x4xf32>, memref<2x3x4xf32>, memref<2x3x6xf32>, memref<5x1xi1>) outs(%y, %l : memref<2x5x6xf32>, memref<2x5xf32>)
  // CHECK-NEXT: linalgx.attention_query_gradient scale 1.0e-05 ins(%q, %k, %v, %l, %l, %y : {{.*}}) outs(%q : memref<2x5x4xf32>)
  linalgx.attention_query_gradient scale 0.00001 ins(%q, %k, %v, %l, %l, %y : memref<2x5x4xf32>, memref<2x3x4xf32>, memref<2x3x6xf32>, memref<2x5xf32>, memref<2x5xf32>, memref<2x5x6xf32>) outs(%q : memref<2x5x4xf32>)
  // CHECK-NEXT: linalgx.attention_key_gradient scale -1.0 ins(%q, %k, %v, %l, %l, %y : {{.*}}) outs(%k, %v : memref<2x3x4xf32>, memref<2x3x6xf32>)
  linalgx.attention_key_gradient scale -1.0 ins(%q, %k, %v, %l, %l, %y : memref<2x5x4xf32>, memref<2x3x4xf32>, memref<2x3x6xf32>, memref<2x5xf32>, memref<2x5xf32>, memref<2x5x6xf32>) outs(%k, %v : memref<2x3x4xf32>, memref<2x3x6xf32>)
  func.return
}
