// RUN: irtool opt %s -p convert-hl-to-linalg --split-input-file --verify-diagnostics

func.func @host(%w: tensor<4xf32> {irtool.result = 0 : i64}) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = func.call @k(%w) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@-1 {{a state argument is read after its new value took its place}}
  %1 = func.call @k(%w) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
func.func private @k(%x: tensor<4xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  func.return %x : tensor<4xf32>
}

// -----

func.func @host(%w: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{in the host function, got hl.exp; run group first}}
  %0 = hl.exp %w : tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// -----

func.func private @k(%x: tensor<4xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  // expected-error@+1 {{hl.softmax has no lowering to linalg}}
  %0 = hl.softmax %x along 0 : tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
