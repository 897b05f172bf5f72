// RUN: irtool opt %s --split-input-file --verify-diagnostics

// Values are defined before they are used, also across regions.

func.func @before(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@+1 {{hl.exp: a value is used before it is defined}}
  %1 = hl.exp %0 : tensor<2xf32>
  %0 = hl.exp %x : tensor<2xf32>
  func.return %1 : tensor<2xf32>
}

// -----

func.func @own(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@+1 {{hl.add: %y is used before it is defined}}
  %y = hl.add %x, %y : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

func.func @out_of_a_branch(%x: tensor<2xf32>, %c: i1) -> tensor<2xf32> {
  scf.if %c {
    %inside = hl.exp %x : tensor<2xf32>
    scf.yield
  }
  // expected-error@+1 {{%inside is not defined where it is used}}
  func.return %inside : tensor<2xf32>
}

// -----

// What is outside is visible inside.

func.func @into(%x: tensor<2xf32>, %c: i1) -> tensor<2xf32> {
  %y = hl.exp %x : tensor<2xf32>
  %z = scf.if %c -> (tensor<2xf32>) {
    scf.yield %y : tensor<2xf32>
  } else {
    %w = hl.neg %y : tensor<2xf32>
    scf.yield %w : tensor<2xf32>
  }
  func.return %z : tensor<2xf32>
}

// -----

// Every op's own rules, and those of marks.

// expected-error@+1 {{result 0 should have the argument's type tensor<3xf32>, got tensor<2xf32>}}
func.func @state(%x: tensor<2xf32>, %y: tensor<3xf32> {irtool.result = 0 : i64}) -> tensor<2xf32> {
  func.return %x : tensor<2xf32>
}

// -----

// expected-error@+1 {{result 0 is another argument's new value already}}
func.func @two(%x: tensor<2xf32> {irtool.result = 0 : i64}, %y: tensor<2xf32> {irtool.result = 0 : i64}) -> tensor<2xf32> {
  func.return %x : tensor<2xf32>
}

// -----

func.func @reach(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{the loops reach index 5 of operand #0}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i + 2)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// -----

// A loop runs as far as its smallest operand: %x, which comes first, is larger than what is reached of it.

func.func @within(%x: tensor<4xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (2 - i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%y : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = arith.mulf %a, %b : f32
    linalg.yield %1 : f32
  } -> tensor<3xf32>
  func.return %0 : tensor<3xf32>
}

// -----

func.func @before_the_start(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{the loops reach index -1 of operand #0}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (2 - i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
