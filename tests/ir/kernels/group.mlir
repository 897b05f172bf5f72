// RUN: irtool opt %s -p group --split-input-file | filecheck %s

// Chains are one kernel; a broadcast is made anew inside.

// CHECK-LABEL: func.func @chain
// CHECK-NEXT:  func.call @add_exp_neg(%x, %b)
// CHECK-NEXT:  func.return
// CHECK:       func.func private @add_exp_neg(%{{.*}}: tensor<64x128xf32>, %{{.*}}: tensor<128xf32>) -> tensor<64x128xf32> attributes {irtool.kernel}
// CHECK-NEXT:  hl.broadcast
// CHECK-NEXT:  hl.add
// CHECK-NEXT:  hl.exp
// CHECK-NEXT:  hl.neg
// CHECK-NEXT:  func.return
func.func @chain(%x: tensor<64x128xf32>, %b: tensor<128xf32>) -> tensor<64x128xf32> {
  %0 = hl.broadcast %b along [1] : tensor<128xf32> -> tensor<64x128xf32>
  %1 = hl.add %x, %0 : tensor<64x128xf32>
  %2 = hl.exp %1 : tensor<64x128xf32>
  %3 = hl.neg %2 : tensor<64x128xf32>
  func.return %3 : tensor<64x128xf32>
}

// -----

// A softmax over rows is one kernel, also where the reductions kept their dimension.

// CHECK-LABEL: func.func @softmax
// CHECK-NEXT:  func.call @max_sub_exp_sum_div(%x)
// CHECK-NEXT:  func.return
func.func @softmax(%x: tensor<64x1000xf32>) -> tensor<64x1000xf32> {
  %0 = hl.reduce_max %x over [1] : tensor<64x1000xf32> -> tensor<64xf32>
  %1 = hl.reshape %0 : tensor<64xf32> -> tensor<64x1xf32>
  %2 = hl.broadcast %1 along [0, 1] : tensor<64x1xf32> -> tensor<64x1000xf32>
  %3 = hl.sub %x, %2 : tensor<64x1000xf32>
  %4 = hl.exp %3 : tensor<64x1000xf32>
  %5 = hl.reduce_sum %4 over [1] : tensor<64x1000xf32> -> tensor<64xf32>
  %6 = hl.reshape %5 : tensor<64xf32> -> tensor<64x1xf32>
  %7 = hl.broadcast %6 along [0, 1] : tensor<64x1xf32> -> tensor<64x1000xf32>
  %8 = hl.div %4, %7 : tensor<64x1000xf32>
  func.return %8 : tensor<64x1000xf32>
}

// -----

// A product takes what reads it with its dimensions in another order as well: tiles are turned before they are stored.

// CHECK-LABEL: func.func @turned
// CHECK-NEXT:  func.call @matmul_sub(%x, %w, %v)
// CHECK-NEXT:  func.return
func.func @turned(%x: tensor<64x32xf32>, %w: tensor<32x128xf32>, %v: tensor<128x64xf32>) -> tensor<128x64xf32> {
  %0 = hl.matmul %x, %w : tensor<64x32xf32>, tensor<32x128xf32> -> tensor<64x128xf32>
  %1 = hl.transpose %0 [1, 0] : tensor<64x128xf32> -> tensor<128x64xf32>
  %2 = hl.sub %v, %1 : tensor<128x64xf32>
  func.return %2 : tensor<128x64xf32>
}

// -----

// A product takes what follows it, and nothing that comes before: the next product reads a finished value.

// CHECK-LABEL: func.func @epilogue
// CHECK-NEXT:  %[[H:.*]] = func.call @matmul_add_relu(%x, %w, %b)
// CHECK-NEXT:  func.call @matmul(%[[H]], %v)
// CHECK-NEXT:  func.return
func.func @epilogue(%x: tensor<64x32xf32>, %w: tensor<32x128xf32>, %b: tensor<128xf32>,
                    %v: tensor<128x16xf32>) -> tensor<64x16xf32> {
  %0 = hl.matmul %x, %w : tensor<64x32xf32>, tensor<32x128xf32> -> tensor<64x128xf32>
  %1 = hl.broadcast %b along [1] : tensor<128xf32> -> tensor<64x128xf32>
  %2 = hl.add %0, %1 : tensor<64x128xf32>
  %3 = hl.relu %2 : tensor<64x128xf32>
  %4 = hl.matmul %3, %v : tensor<64x128xf32>, tensor<128x16xf32> -> tensor<64x16xf32>
  func.return %4 : tensor<64x16xf32>
}

// -----

// Two reductions over the same rows share their reading.

// CHECK-LABEL: func.func @siblings
// CHECK-NEXT:  %{{.*}}, %{{.*}} = func.call @max_sum(%x)
// CHECK-NEXT:  func.return
func.func @siblings(%x: tensor<64x1000xf32>) -> (tensor<64xf32>, tensor<64xf32>) {
  %0 = hl.reduce_max %x over [1] : tensor<64x1000xf32> -> tensor<64xf32>
  %1 = hl.reduce_sum %x over [1] : tensor<64x1000xf32> -> tensor<64xf32>
  func.return %0, %1 : tensor<64xf32>, tensor<64xf32>
}

// -----

// Few elements: one thread does it all, whatever the indices.

// CHECK-LABEL: func.func @small
// CHECK-NEXT:  func.call @exp_sum_mul(%x, %y)
// CHECK-NEXT:  func.return
func.func @small(%x: tensor<4x3xf32>, %y: tensor<7xf32>) -> (tensor<f32>, tensor<7xf32>) {
  %0 = hl.exp %x : tensor<4x3xf32>
  %1 = hl.reduce_sum %0 over [0, 1] : tensor<4x3xf32> -> tensor<f32>
  %2 = hl.broadcast %1 along [] : tensor<f32> -> tensor<7xf32>
  %3 = hl.mul %2, %y : tensor<7xf32>
  func.return %1, %3 : tensor<f32>, tensor<7xf32>
}

// -----

// exp feeds both the product and what follows it: joining exp and add would close a cycle.

// CHECK-LABEL: func.func @cycle
// CHECK-NEXT:  %[[E:.*]] = func.call @exp(%x)
// CHECK-NEXT:  func.call @matmul_add(%[[E]], %w)
// CHECK-NEXT:  func.return
func.func @cycle(%x: tensor<64x128xf32>, %w: tensor<128x128xf32>) -> tensor<64x128xf32> {
  %0 = hl.exp %x : tensor<64x128xf32>
  %1 = hl.matmul %0, %w : tensor<64x128xf32>, tensor<128x128xf32> -> tensor<64x128xf32>
  %2 = hl.add %0, %1 : tensor<64x128xf32>
  func.return %2 : tensor<64x128xf32>
}

// -----

// State is updated where it lies.

// CHECK-LABEL: func.func @tied
// CHECK:       func.func private @sub(%{{.*}}: tensor<128x64xf32> {irtool.tied = 0 : i64}, %{{.*}}: tensor<128x64xf32>)
func.func @tied(%w: tensor<128x64xf32> {irtool.result = 0 : i64}, %g: tensor<128x64xf32>) -> tensor<128x64xf32> {
  %0 = hl.sub %w, %g : tensor<128x64xf32>
  func.return %0 : tensor<128x64xf32>
}

// -----

// Who reads the old value runs first.

// CHECK-LABEL: func.func @read_later
// CHECK-NEXT:  %[[M:.*]] = func.call @matmul(%x, %w)
// CHECK-NEXT:  %[[W:.*]] = func.call @sub(%w, %x)
// CHECK-NEXT:  func.return %[[W]], %[[M]]
// CHECK:       func.func private @sub(%{{.*}} {irtool.tied = 0 : i64},
func.func @read_later(%w: tensor<128x128xf32> {irtool.result = 0 : i64}, %x: tensor<128x128xf32>)
    -> (tensor<128x128xf32>, tensor<128x128xf32>) {
  %0 = hl.sub %w, %x : tensor<128x128xf32>
  %1 = hl.matmul %x, %w : tensor<128x128xf32>
  func.return %0, %1 : tensor<128x128xf32>, tensor<128x128xf32>
}

// -----

// Where it needs the new value too, that is computed elsewhere, and copied once all is done. The copy knows its line.

// CHECK-LABEL: func.func @needs_both
// CHECK-NEXT:  %[[W:.*]] = func.call @sub(%w, %x)
// CHECK-NEXT:  %[[M:.*]] = func.call @matmul(%[[W]], %w)
// CHECK-NEXT:  %[[C:.*]] = func.call @copy(%[[W]])
// CHECK-NEXT:  func.return %[[C]], %[[M]]
// CHECK-NOT:   irtool.tied
func.func @needs_both(%w: tensor<128x128xf32> {irtool.result = 0 : i64}, %x: tensor<128x128xf32>)
    -> (tensor<128x128xf32>, tensor<128x128xf32>) {
  %0 = hl.sub %w, %x : tensor<128x128xf32>
  %1 = hl.matmul %0, %w : tensor<128x128xf32>
  func.return %0, %1 : tensor<128x128xf32>, tensor<128x128xf32>
}

// -----

// Read at other indices than it is written at: not in place.

// CHECK-LABEL: func.func @reversed
// CHECK-NEXT:  %[[A:.*]] = func.call @add(%a)
// CHECK-NEXT:  %[[C:.*]] = func.call @copy(%[[A]])
// CHECK-NEXT:  func.return %[[C]]
// CHECK-NOT:   irtool.tied
func.func @reversed(%a: tensor<8192xf32> {irtool.result = 0 : i64}) -> tensor<8192xf32> {
  %0 = hl.reverse %a along [0] : tensor<8192xf32>
  %1 = hl.add %0, %a : tensor<8192xf32>
  func.return %1 : tensor<8192xf32>
}

// -----

// Each result has bytes of its own: one value returned twice and an argument returned are copied.

// CHECK-LABEL: func.func @twice
// CHECK-NEXT:  %[[X:.*]] = func.call @copy(%x)
// CHECK-NEXT:  %[[E:.*]] = func.call @exp(%x)
// CHECK-NEXT:  %[[F:.*]] = func.call @copy_2(%[[E]])
// CHECK-NEXT:  func.return %[[E]], %[[F]], %[[X]]
func.func @twice(%x: tensor<8192xf32>) -> (tensor<8192xf32>, tensor<8192xf32>, tensor<8192xf32>) {
  %0 = hl.exp %x : tensor<8192xf32>
  func.return %0, %0, %x : tensor<8192xf32>, tensor<8192xf32>, tensor<8192xf32>
}

// -----

// Two states that change places are read before either is written.

// CHECK-LABEL: func.func @swapped
// CHECK-NEXT:  %[[A:.*]] = func.call @copy(%a)
// CHECK-NEXT:  %[[B:.*]] = func.call @copy_2(%b)
// CHECK-NEXT:  %[[C:.*]] = func.call @copy_3(%[[A]])
// CHECK-NEXT:  %[[D:.*]] = func.call @copy_4(%[[B]])
// CHECK-NEXT:  func.return %[[C]], %[[D]]
func.func @swapped(%a: tensor<8192xf32> {irtool.result = 1 : i64}, %b: tensor<8192xf32> {irtool.result = 0 : i64})
    -> (tensor<8192xf32>, tensor<8192xf32>) {
  func.return %a, %b : tensor<8192xf32>, tensor<8192xf32>
}

// -----

// A reshape that regroups elements is another view of the same bytes, made in the host.

// CHECK-LABEL: func.func @regrouped
// CHECK-NEXT:  %[[E:.*]] = func.call @exp(%x)
// CHECK-NEXT:  %[[R:.*]] = hl.reshape %[[E]] : tensor<64x128xf32> -> tensor<128x64xf32>
// CHECK-NEXT:  func.call @matmul(%[[R]], %w)
func.func @regrouped(%x: tensor<64x128xf32>, %w: tensor<64x32xf32>) -> tensor<128x32xf32> {
  %0 = hl.exp %x : tensor<64x128xf32>
  %1 = hl.reshape %0 : tensor<64x128xf32> -> tensor<128x64xf32>
  %2 = hl.matmul %1, %w : tensor<128x64xf32>, tensor<64x32xf32> -> tensor<128x32xf32>
  func.return %2 : tensor<128x32xf32>
}
