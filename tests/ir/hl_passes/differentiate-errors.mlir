// RUN: irtool opt %s -p differentiate --split-input-file --verify-diagnostics

func.func private @g(tensor<f32>) -> tensor<f32>
func.func @call(%x: tensor<f32>) -> tensor<f32> {
  // expected-error@+1 {{cannot differentiate through func.call: there is no gradient rule for it}}
  %y = func.call @g(%x) : (tensor<f32>) -> tensor<f32>
  %g = hl.gradient %y wrt %x : tensor<f32>
  func.return %g : tensor<f32>
}

// -----

func.func @loop(%x: tensor<f32>, %n: index) -> tensor<f32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error@+1 {{cannot differentiate through scf.for: there is no gradient rule for it}}
  %y = scf.for %i = %zero to %n step %one iter_args(%a = %x) -> (tensor<f32>) {
    %b = hl.mul %a, %x : tensor<f32>
    scf.yield %b : tensor<f32>
  }
  %g = hl.gradient %y wrt %x : tensor<f32>
  func.return %g : tensor<f32>
}

// -----

func.func @outside(%x: tensor<f32>, %c: i1) -> tensor<f32> {
  %y = hl.exp %x : tensor<f32>
  %z = scf.if %c -> (tensor<f32>) {
    // expected-error@+1 {{expected values of the same block, got one from outside}}
    %g = hl.gradient %y wrt %x : tensor<f32>
    scf.yield %g : tensor<f32>
  } else {
    scf.yield %x : tensor<f32>
  }
  func.return %z : tensor<f32>
}

// -----

func.func @unknown(%x: tensor<?xf32>, %y: tensor<f32>) -> tensor<?xf32> {
  // expected-error@+1 {{expected a static shape, got tensor<?xf32>}}
  %g = hl.gradient %y wrt %x : tensor<?xf32>
  func.return %g : tensor<?xf32>
}
