// RUN: irtool run %s | filecheck %s
// RUN: irtool run %s --compiled --threads 2 | filecheck %s
// RUN: irtool opt %s --pipeline cpu | irtool run - --threads 1 | filecheck %s
// RUN: irtool translate --to c %s | filecheck %s --check-prefix=C
// RUN: irtool opt --list-passes | filecheck %s --check-prefix=LIST

// CHECK:      result0: float32[4]
// CHECK-NEXT: [3. 5. 7. 9.]
// CHECK-NEXT: result1: int64[]
// CHECK-NEXT: 3

// C:          void step(void **buffers

// LIST:       passes:
// LIST:       plan-memory
// LIST:       stages of --pipeline cpu:
// LIST-NEXT:    hl: differentiate

func.func @step() -> (tensor<4xf32>, tensor<i64>) {
  %0 = hl.iota along 0 : tensor<4xf32>
  %1 = hl.constant dense [3.0, 4.0, 5.0, 6.0] : tensor<4xf32>
  %2 = hl.add %0, %1 : tensor<4xf32>
  %3 = hl.argmax %2 over 0 : tensor<4xf32> -> tensor<i64>
  func.return %2, %3 : tensor<4xf32>, tensor<i64>
}
