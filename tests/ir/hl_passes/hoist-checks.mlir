// RUN: irtool opt %s -p hoist-checks --split-input-file | filecheck %s

// CHECK-LABEL: func.func @step
// CHECK-NEXT:    %0 = hl.slice %i
// CHECK-NEXT:    %1 = hl.check_range %0, %errors from 0 to 5 number 2
// CHECK-NEXT:    %2 = hl.cast %x
// CHECK-NEXT:    %3 = hl.check_range %2, %1 from 0 to 5 number 1
// CHECK-NEXT:    func.return %3
func.func @step(%x: tensor<8xf32>, %i: tensor<8xi64>, %errors: tensor<3xi64> {irtool.errors, irtool.result = 0 : i64})
    -> tensor<3xi64> {
  %0 = hl.cast %x : tensor<8xf32> -> tensor<8xi64>
  %1 = hl.check_range %0, %errors from 0 to 5 number 1 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %2 = hl.slice %i from [1] to [8] by [1] : tensor<8xi64> -> tensor<7xi64>
  %3 = hl.check_range %2, %1 from 0 to 5 number 2 {error = "E", message = ""} : tensor<7xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return %3 : tensor<3xi64>
}

// -----

// A record that nobody has marked is a value like any other.

// CHECK-LABEL: func.func @unmarked
// CHECK-NEXT:    hl.cast
// CHECK-NEXT:    hl.check_range
// CHECK-NEXT:    hl.check_range
func.func @unmarked(%x: tensor<8xf32>, %i: tensor<8xi64>, %errors: tensor<3xi64>) -> tensor<3xi64> {
  %0 = hl.cast %x : tensor<8xf32> -> tensor<8xi64>
  %1 = hl.check_range %0, %errors from 0 to 5 number 1 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %2 = hl.check_range %i, %1 from 0 to 5 number 2 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return %2 : tensor<3xi64>
}
