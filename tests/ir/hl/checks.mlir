// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @checks
// CHECK-SAME:  %errors: tensor<3xi64> {irtool.errors, irtool.result = 0 : i64}
func.func @checks(%i: tensor<8xi64>, %j: tensor<2x3xui8>, %errors: tensor<3xi64> {irtool.errors, irtool.result = 0 : i64})
    -> tensor<3xi64> {
  // CHECK-NEXT: %0 = hl.check_range %i, %errors from -5 to 5 number 1 {error = "IndexError", message = "{value}"} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %0 = hl.check_range %i, %errors from -5 to 5 number 1 {error = "IndexError", message = "{value}"}
    : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  // CHECK-NEXT: %1 = hl.check_range %i, %0 from 0 to 9 or -100 number 2 {error = "IndexError", message = ""}
  %1 = hl.check_range %i, %0 from 0 to 9 or -100 number 2 {error = "IndexError", message = ""}
    : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  // CHECK-NEXT: %2 = hl.check_nonzero %j, %1 number 3 {error = "RuntimeError", message = "ZeroDivisionError"} : tensor<2x3xui8>, tensor<3xi64> -> tensor<3xi64>
  %2 = hl.check_nonzero %j, %1 number 3 {error = "RuntimeError", message = "ZeroDivisionError"}
    : tensor<2x3xui8>, tensor<3xi64> -> tensor<3xi64>
  func.return %2 : tensor<3xi64>
}
