// RUN: irtool opt %s -p group --split-input-file | filecheck %s

// Checks of arguments run first, whatever the order of the program; others in front of what updates state. What cannot
// be computed before is late.

// CHECK-LABEL: func.func @step
// CHECK-SAME:    irtool.checks = [{number = 1 : i64, error = "E", message = "first", line = {{.*}}}, {number = 2 : i64, error = "E", message = "second", line = {{.*}}}, {number = 3 : i64, error = "E", message = "third", line = {{.*}}, late}]
// CHECK-NEXT:    %[[A:.*]] = func.call @check_range(%i, %errors)
// CHECK-NEXT:    spmd.stop_on_error %[[A]] into %errors {first}
// CHECK:         %[[B:.*]] = func.call @check_range_2
// CHECK:         spmd.stop_on_error %[[B]] into %errors :
// CHECK-NEXT:    func.call @{{.*}}(%w)
// CHECK:         %[[C:.*]] = func.call @check_range_3
// CHECK:         spmd.stop_on_error %[[C]] into %errors :
func.func @step(%w: tensor<8000xf32> {irtool.result = 1 : i64}, %x: tensor<8000xf32>, %i: tensor<8xi64>,
                %errors: tensor<3xi64> {irtool.errors, irtool.result = 0 : i64}) -> (tensor<3xi64>, tensor<8000xf32>, tensor<8xf32>) {
  %0 = hl.check_range %i, %errors from 0 to 5 number 1 {error = "E", message = "first"} : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
  %new = hl.exp %w : tensor<8000xf32>
  %1 = hl.cast %x : tensor<8000xf32> -> tensor<8000xi64>
  %2 = hl.check_range %1, %0 from 0 to 5 number 2 {error = "E", message = "second"} : tensor<8000xi64>, tensor<3xi64> -> tensor<3xi64>
  %3 = hl.cast %new : tensor<8000xf32> -> tensor<8000xi64>
  %4 = hl.check_range %3, %2 from 0 to 5 number 3 {error = "E", message = "third"} : tensor<8000xi64>, tensor<3xi64> -> tensor<3xi64>
  %5 = hl.gather %x, %i along 0 : tensor<8000xf32>, tensor<8xi64> -> tensor<8xf32>
  func.return %4, %new, %5 : tensor<3xi64>, tensor<8000xf32>, tensor<8xf32>
}
