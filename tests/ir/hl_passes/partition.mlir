// RUN: irtool opt %s -p partition | filecheck %s

// Of tanh, its result is enough; of relu, what the next matmul needs anyway.

// CHECK-LABEL: func.func @f(
// CHECK:         %[[H:.*]] = hl.relu
// CHECK:         %[[O:.*]] = hl.matmul %[[H]], %{{.*}}
// CHECK:         %[[Y:.*]] = hl.tanh %[[O]]
// CHECK:         func.return %[[Y]], %[[H]] :

// CHECK-LABEL: func.func @f_backward
// CHECK-SAME:    (%[[W:.*]]: tensor<8x8xf32>{{.*}}, %[[X:[a-z0-9]+]]: tensor<4x8xf32>{{.*}}, %[[H:[a-z0-9]+]]: tensor<4x8xf32>{{.*}}, %[[Y:[a-z0-9]+]]: tensor<4x8xf32>{{.*}}, %[[DY:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK:         hl.compare %[[H]], %{{.*}} is "le"
// CHECK:         func.return %{{.*}}, %{{.*}} : tensor<8x8xf32>, tensor<4x8xf32>
func.func @f(%w: tensor<8x8xf32>, %x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %a = hl.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %h = hl.relu %a : tensor<4x8xf32>
  %o = hl.matmul %h, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %y = hl.tanh %o : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
