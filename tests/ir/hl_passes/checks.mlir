// RUN: irtool opt %s -p canonicalize --split-input-file | filecheck %s

// What follows from constants, from the extent that an argmax runs over, from a remainder or a choice cannot fail.

// CHECK-LABEL: func.func @proved
// CHECK-NOT:     hl.check
// CHECK:         func.return %errors
func.func @proved(%x: tensor<8x5xf32>, %i: tensor<8xi64>, %errors: tensor<3xi64>) -> tensor<3xi64> {
  %0 = hl.argmax %x over 1 : tensor<8x5xf32> -> tensor<8xi64>
  %1 = hl.check_range %0, %errors from 0 to 5 number 1 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %five = hl.constant 5 : tensor<8xi64>
  %2 = hl.remainder %i, %five : tensor<8xi64>
  %3 = hl.check_range %2, %1 from 0 to 5 number 2 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %4 = hl.compare %i, %five is "lt" : tensor<8xi64>, tensor<8xi64> -> tensor<8xi1>
  %5 = hl.select %4, %i, %five : tensor<8xi1>, tensor<8xi64>, tensor<8xi64> -> tensor<8xi64>
  %zero = hl.constant 0 : tensor<8xi64>
  %6 = hl.maximum %5, %zero : tensor<8xi64>
  %7 = hl.check_range %6, %3 from 0 to 6 number 3 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %8 = hl.cast %4 : tensor<8xi1> -> tensor<8xi64>
  %9 = hl.check_range %8, %7 from 0 to 2 number 4 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %10 = hl.check_nonzero %five, %9 number 5 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return %10 : tensor<3xi64>
}

// -----

// One that could be one too many stays, and so does what may wrap.

// CHECK-LABEL: func.func @possible
// CHECK-COUNT-3: hl.check_range
func.func @possible(%x: tensor<8x5xf32>, %i: tensor<8xi64>, %errors: tensor<3xi64>) -> tensor<3xi64> {
  %0 = hl.argmax %x over 1 : tensor<8x5xf32> -> tensor<8xi64>
  %1 = hl.check_range %0, %errors from 0 to 4 number 1 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %zero = hl.constant 0 : tensor<8xi64>
  %2 = hl.maximum %i, %zero : tensor<8xi64>
  %one = hl.constant 1 : tensor<8xi64>
  %3 = hl.add %2, %one : tensor<8xi64>
  %4 = hl.check_range %3, %1 from 1 to 9223372036854775807 number 2 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %5 = hl.compare %i, %zero is "lt" : tensor<8xi64>, tensor<8xi64> -> tensor<8xi1>
  %6 = hl.select %5, %i, %zero : tensor<8xi1>, tensor<8xi64>, tensor<8xi64> -> tensor<8xi64>
  %7 = hl.check_range %6, %4 from 0 to 4 number 3 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return %7 : tensor<3xi64>
}

// -----

// What an earlier check lets not pass needs no second one; a reshape is looked through.

// CHECK-LABEL: func.func @again
// CHECK-NEXT:    %0 = hl.check_range %i, %errors from 0 to 5 number 1
// CHECK-NEXT:    %1 = hl.check_range %j, %0 from 0 to 5 number 2
// CHECK-NEXT:    %{{.*}} = hl.check_range %i, %1 from 1 to 5 number 4
// CHECK-NEXT:    func.return
func.func @again(%i: tensor<8xi64>, %j: tensor<8xi64>, %errors: tensor<3xi64>) -> tensor<3xi64> {
  %0 = hl.check_range %i, %errors from 0 to 5 number 1 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %1 = hl.check_range %j, %0 from 0 to 5 number 2 {error = "E", message = ""} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %2 = hl.reshape %i : tensor<8xi64> -> tensor<2x4xi64>
  %3 = hl.check_range %2, %1 from -5 to 5 or -100 number 3 {error = "E", message = ""} : tensor<2x4xi64>, tensor<3xi64> -> tensor<3xi64>
  %4 = hl.check_range %2, %3 from 1 to 5 number 4 {error = "E", message = ""} : tensor<2x4xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return %4 : tensor<3xi64>
}
