// RUN: irtool opt %s --split-input-file --verify-diagnostics

// Elementwise

func.func @shapes(%x: tensor<2x3xf32>, %y: tensor<3x2xf32>) {
  // expected-error@+1 {{hl.add: shapes must be equal: expected [2, 3], got [3, 2]}}
  %0 = hl.add %x, %y : tensor<2x3xf32>, tensor<3x2xf32> -> tensor<2x3xf32>
  func.return
}

// -----

func.func @element_types(%x: tensor<2xf32>, %y: tensor<2xf64>) {
  // expected-error@+1 {{hl.mul: element types must be equal: expected f32, got f64}}
  %0 = hl.mul %x, %y : tensor<2xf32>, tensor<2xf64> -> tensor<2xf32>
  func.return
}

// -----

func.func @result(%x: tensor<2xf32>) {
  // expected-error@+1 {{hl.exp: expected result type tensor<2xf32>, got tensor<3xf32>}}
  %0 = hl.exp %x : tensor<2xf32> -> tensor<3xf32>
  func.return
}

// -----

func.func @predicate(%x: tensor<2xf32>) {
  // expected-error@+1 {{hl.compare: predicate: expected eq, ne, lt, le, gt, ge, got less}}
  %0 = hl.compare %x, %x is "less" : tensor<2xf32>, tensor<2xf32> -> tensor<2xi1>
  func.return
}

// -----

// Shape

func.func @broadcast(%x: tensor<3xf32>) {
  // expected-error@+1 {{hl.broadcast: shape: expected 4 or 1 in dimension 1 of [2, 4], got [3]}}
  %0 = hl.broadcast %x along [1] : tensor<3xf32> -> tensor<2x4xf32>
  func.return
}

// -----

func.func @permutation(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{hl.transpose: permutation: expected each of the 2 dimensions once, got [0, 2]}}
  %0 = hl.transpose %x [0, 2] : tensor<2x3xf32> -> tensor<2x3xf32>
  func.return
}

// -----

func.func @reshape(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{hl.reshape: reshape: expected 6 elements as in [2, 3], got 8 in [8]}}
  %0 = hl.reshape %x : tensor<2x3xf32> -> tensor<8xf32>
  func.return
}

// -----

func.func @kind_of_attribute(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{hl.transpose: 'ab' cannot be its permutation}}
  %0 = hl.transpose %x "ab" : tensor<2x3xf32> -> tensor<3x2xf32>
  func.return
}

// -----

func.func @constant() {
  // expected-error@+1 {{hl.constant: constant: expected u8, from 0 to 255, got 256}}
  %0 = hl.constant 256 : tensor<2xui8>
  func.return
}

// -----

func.func @values() {
  // expected-error@+1 {{dense values do not fit tensor<2x2xf32>}}
  %0 = hl.constant dense [[1.0], [2.0, 3.0]] : tensor<2x2xf32>
  func.return
}

// -----

// Reductions

func.func @nothing(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{a maximum or minimum of nothing is undefined: expected at least one element in dimension 1}}
  %0 = hl.reduce_max %x over [1] : tensor<2x0xf32> -> tensor<2xf32>
  func.return
}

// -----

func.func @twice(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{hl.reduce_sum: dimensions: expected each at most once, got [1, 1]}}
  %0 = hl.reduce_sum %x over [1, 1] : tensor<2x3xf32> -> tensor<2xf32>
  func.return
}

// -----

// Arrays

func.func @matmul(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expected [..., m, k] and [..., k, n] with equal k, got [2, 3] and [2, 3]}}
  %0 = hl.matmul %x, %x : tensor<2x3xf32>, tensor<2x3xf32> -> tensor<2x3xf32>
  func.return
}

// -----

func.func @indices(%x: tensor<2x3xf32>, %i: tensor<4xf32>) {
  // expected-error@+1 {{hl.gather: element type of indices: expected i64 or i32, got f32}}
  %0 = hl.gather %x, %i along 0 : tensor<2x3xf32>, tensor<4xf32> -> tensor<4x3xf32>
  func.return
}

// -----

func.func @state(%s: tensor<3xi64>) {
  // expected-error@+1 {{hl.random_bits: random state: expected tensor<2xi64>: (seed, offset), got tensor<3xi64>}}
  %0 = hl.random_bits %s : tensor<3xi64> -> tensor<8xi32>
  func.return
}

// -----

// Composites

func.func @classes(%x: tensor<4x3xf32>, %t: tensor<5xi64>) {
  // expected-error@+1 {{hl.cross_entropy: shapes: expected logits [n, classes] and target [n], got [4, 3] and [5]}}
  %0 = hl.cross_entropy %x, %t {reduction = "mean"} : tensor<4x3xf32>, tensor<5xi64> -> tensor<f32>
  func.return
}

// -----

func.func @missing(%x: tensor<4x3xf32>, %t: tensor<4xi64>) {
  // expected-error@+1 {{reduction}}
  %0 = hl.cross_entropy %x, %t : tensor<4x3xf32>, tensor<4xi64> -> tensor<f32>
  func.return
}

// -----

// Windows

func.func @channels(%x: tensor<1x3x8xf32>, %w: tensor<4x2x3xf32>) {
  // expected-error@+1 {{hl.conv: channels of x: expected 2 * 1 groups = 2, got 3}}
  %0 = hl.conv %x, %w stride [1] low [0] high [0] dilation [1] input_dilation [1] : tensor<1x3x8xf32>, tensor<4x2x3xf32> -> tensor<1x4x6xf32>
  func.return
}

// -----

func.func @window_too_large(%x: tensor<1x3x8xf32>) {
  // expected-error@+1 {{padded spatial dimension 0: expected at least 9 elements, the window's reach, got 8}}
  %0 = hl.reduce_window %x "sum" window [9] stride [1] low [0] high [0] dilation [1] : tensor<1x3x8xf32> -> tensor<1x3x1xf32>
  func.return
}

// -----

func.func @empty_window(%x: tensor<8xf32>) {
  // expected-error@+1 {{spatial dimension 0: expected an element of x in every window, got none in the one at -2}}
  %0 = hl.argmax_window %x window [2] stride [1] low [2] high [0] dilation [1] : tensor<8xf32> -> tensor<9xi64>
  func.return
}

// -----

// Derivatives

func.func @of_many(%x: tensor<4xf32>) {
  // expected-error@+1 {{hl.gradient: what a gradient is taken of: expected one element, got [4]}}
  %0 = hl.gradient %x wrt %x : tensor<4xf32>
  func.return
}

// -----

func.func @by_a_result(%x: tensor<f32>) {
  %y = hl.exp %x : tensor<f32>
  // expected-error@+1 {{function arguments or results of hl.variable: expected one of these, got a result of hl.exp}}
  %0 = hl.gradient %y wrt %y : tensor<f32>
  func.return
}

// -----

func.func @before_it_is_defined(%x: tensor<f32>) {
  // expected-error@+1 {{%y is used before it is defined}}
  %0 = hl.gradient %y wrt %x : tensor<f32>
  %y = hl.exp %x : tensor<f32>
  func.return
}

// -----

// Syntax

func.func @unknown(%x: tensor<f32>) {
  // expected-error@+1 {{hl.frobnicate}}
  %0 = hl.frobnicate %x : tensor<f32>
  func.return
}

// -----

func.func @no_result_type(%x: tensor<2xf32>) {
  // expected-error@+1 {{expected '->' and the result type of hl.add}}
  %0 = hl.add %x, %x : tensor<2xf32>, tensor<2xf32>
  func.return
}

// -----

func.func @element(%x: tensor<2xf32>) {
  // expected-error@+1 {{expected a ranked tensor of f32, f64, i64, i32, ui8, i1, got tensor<2xf16>}}
  %0 = hl.iota along 0 : tensor<2xf16>
  func.return
}

// -----

// The body yields a cotangent for each input.
func.func @custom_gradient(%x: tensor<4xf32>) {
  // expected-error@+1 {{hl.custom_gradient: what the body yields: expected tensor<4xf32>, got none}}
  %y = hl.custom_gradient value(%x) of(%x) : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
  ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>):
    hl.yield
  }
  func.return
}

// -----

func.func @other_keyword(%x: tensor<64x10xf32>) -> tensor<10xf32> {
  // expected-error@+1 {{Expected ':' and the types of hl.reduce_sum, or 'over'}}
  %0 = hl.reduce_sum %x along [0] : tensor<64x10xf32> -> tensor<10xf32>
  func.return %0 : tensor<10xf32>
}

// -----

// Checks

func.func @float(%x: tensor<2xf32>, %errors: tensor<3xi64>) {
  // expected-error@+1 {{hl.check_nonzero: element type: expected int elements, got f32}}
  %0 = hl.check_nonzero %x, %errors number 1 {error = "E", message = ""} : tensor<2xf32>, tensor<3xi64> -> tensor<3xi64>
  func.return
}

// -----

func.func @record(%x: tensor<2xi64>, %errors: tensor<4xi64>) {
  // expected-error@+1 {{hl.check_nonzero: error record: expected tensor<3xi64>: (check, position, value), got tensor<4xi64>}}
  %0 = hl.check_nonzero %x, %errors number 1 {error = "E", message = ""} : tensor<2xi64>, tensor<4xi64> -> tensor<3xi64>
  func.return
}

// -----

func.func @number(%x: tensor<2xi64>, %errors: tensor<3xi64>) {
  // expected-error@+1 {{hl.check_nonzero: number of the check: expected at least 1, got 0}}
  %0 = hl.check_nonzero %x, %errors number 0 {error = "E", message = ""} : tensor<2xi64>, tensor<3xi64> -> tensor<3xi64>
  func.return
}

// -----

// expected-error@+1 {{argument 0 of @state: irtool.errors: expected irtool.result beside it, the number of the result that is the record}}
func.func @state(%errors: tensor<3xi64> {irtool.errors}) -> tensor<3xi64> {
  func.return %errors : tensor<3xi64>
}

// -----

// expected-error@+1 {{argument 0 of @type: irtool.errors: expected tensor<3xi64>, got tensor<3xf32>}}
func.func @type(%errors: tensor<3xf32> {irtool.errors, irtool.result = 0 : i64}) -> tensor<3xf32> {
  func.return %errors : tensor<3xf32>
}

// -----

func.func @attention(%q: tensor<2x5x4xf32>, %k: tensor<2x3x3xf32>) {
  // expected-error@+1 {{hl.attention: attention: expected [..., t, d], [..., s, d] and [..., s, e], got [2, 5, 4], [2, 3, 3] and [2, 3, 3]}}
  %0, %1 = hl.attention %q, %k, %k {scale = 1.0} : tensor<2x5x4xf32>, tensor<2x3x3xf32>, tensor<2x3x3xf32> -> tensor<2x5x3xf32>, tensor<2x5xf32>
  func.return
}

// -----

func.func @attention_mask(%q: tensor<2x5x4xf32>, %m: tensor<4x5xi1>) {
  // expected-error@+1 {{hl.attention: mask of attention: expected what repeats to [2, 5, 5], got [4, 5]}}
  %0, %1 = hl.attention %q, %q, %q, %m {scale = 1.0} : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<4x5xi1> -> tensor<2x5x4xf32>, tensor<2x5xf32>
  func.return
}
