// RUN: not irtool run %s 2>&1 | filecheck %s
// RUN: not irtool run %s --compiled --threads 2 2>&1 | filecheck %s
// RUN: irtool opt %s --stop-after kernels | not irtool run - 2>&1 | filecheck %s --check-prefix=BELOW
// RUN: irtool opt %s --pipeline cpu | not irtool run - 2>&1 | filecheck %s --check-prefix=BELOW
// RUN: irtool translate --to c %s | filecheck %s --check-prefix=C

// CHECK: run-checks.mlir:20:3: error: IndexError: index 7 is out of bounds for dimension 0 with size 5; the element at position 2 is 7
// BELOW: error: IndexError: index 7 is out of bounds for dimension 0 with size 5 (at run-checks.mlir:20); the element at position 2 is 7

// C:      // buffers[1] is the record of errors: zeros before the call; after it, where a check has failed,
// C-NEXT: // that check's number, and the position and value of the element that it refuses
// C:      check_range(
// C-NEXT: if (errors[0] != 0)
// C-NEXT:     goto end;
// C:      end:;

func.func @step(%w: tensor<5xf32> {irtool.result = 1 : i64}, %errors: tensor<3xi64> {irtool.errors, irtool.result = 0 : i64})
    -> (tensor<3xi64>, tensor<5xf32>, tensor<4xf32>) {
  %i = hl.constant dense [1, 2, 7, 3] : tensor<4xi64>
  %0 = hl.check_range %i, %errors from 0 to 5 number 1 {error = "IndexError", message = "index {value} is out of bounds for dimension 0 with size 5"} : tensor<4xi64>, tensor<3xi64> -> tensor<3xi64>
  %1 = hl.gather %w, %i along 0 : tensor<5xf32>, tensor<4xi64> -> tensor<4xf32>
  %2 = hl.exp %w : tensor<5xf32>
  func.return %0, %2, %1 : tensor<3xi64>, tensor<5xf32>, tensor<4xf32>
}
