// RUN: irtool opt %s -p plan-memory --split-input-file | filecheck %s

// Two that live together lie side by side; the third takes the place of the first.

// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %arena: memref<2048xi8> {irtool.arena})
// CHECK:       %a = memref.view %arena[%[[HERE:\d+]]{{.*}} : memref<2048xi8> to memref<256xf32>
// CHECK:       %b = memref.view %arena
// CHECK:       %c = memref.view %arena[%[[HERE]]{{.}}
// CHECK-NOT:   memref.alloc
func.func @chain(%x: memref<256xf32>, %out: memref<256xf32> {irtool.out = 0 : i64}) {
  %a = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  func.call @k(%x, %a) : (memref<256xf32>, memref<256xf32>) -> ()
  %b = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  func.call @k(%a, %b) : (memref<256xf32>, memref<256xf32>) -> ()
  %c = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  func.call @k(%b, %c) : (memref<256xf32>, memref<256xf32>) -> ()
  func.call @k(%c, %out) : (memref<256xf32>, memref<256xf32>) -> ()
  func.return
}
func.func private @k(%x: memref<256xf32>, %out: memref<256xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  func.return
}

// -----

// A view keeps its buffer alive: %b must not lie on %a.

// CHECK-LABEL: func.func @view
// CHECK-SAME:    memref<128xi8> {irtool.arena}
func.func @view(%x: memref<16xf32>, %out: memref<16xf32> {irtool.out = 0 : i64}) {
  %a = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  %v = memref.reinterpret_cast %a to offset: [0], sizes: [4, 4], strides: [4, 1] : memref<16xf32> to memref<4x4xf32>
  %b = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  func.call @fill(%a) : (memref<16xf32>) -> ()
  func.call @fill(%b) : (memref<16xf32>) -> ()
  func.call @use(%v) : (memref<4x4xf32>) -> ()
  func.return
}
func.func private @fill(%out: memref<16xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  func.return
}
func.func private @use(%x: memref<4x4xf32>) attributes {irtool.kernel} {
  func.return
}

// -----

// Two carried buffers that change places in every round live through the loop, as does what is used in it and made
// before. What a round makes for itself lives within the round; a branch's likewise.

// CHECK-LABEL: func.func @loop
// CHECK-SAME:    %arena: memref<320xi8> {irtool.arena})
// CHECK:       memref.view %arena[%{{.*}}][]
// CHECK:       %[[A:.*]] = memref.view %arena[%{{.*}}][]
// CHECK:       %[[B:.*]] = memref.view %arena[%{{.*}}][]
// CHECK:       scf.for %{{.*}} iter_args(%[[P:.*]] = %[[A]], %[[Q:.*]] = %[[B]])
// CHECK-NEXT:    %[[T:.*]] = memref.view %arena[%{{.*}}][]
// CHECK-NEXT:    func.call @k(%[[P]], %[[T]])
// CHECK:         scf.if
// CHECK:           memref.view %arena[%{{.*}}][]
// CHECK:         func.call @k(%weight, %[[Q]])
// CHECK-NEXT:    scf.yield %[[Q]], %[[P]]
// CHECK-NOT:   memref.alloc
func.func @loop(%x: memref<16xf32>, %out: memref<16xf32> {irtool.out = 0 : i64}) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %ten = arith.constant 10 : index
  %weight = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  func.call @k(%x, %weight) : (memref<16xf32>, memref<16xf32>) -> ()
  %a = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  %b = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  func.call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %last, %other = scf.for %i = %zero to %ten step %one iter_args(%p = %a, %q = %b) -> (memref<16xf32>, memref<16xf32>) {
    %t = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
    func.call @k(%p, %t) : (memref<16xf32>, memref<16xf32>) -> ()
    %first = arith.cmpi eq, %i, %zero : index
    scf.if %first {
      %u = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
      func.call @k(%t, %u) : (memref<16xf32>, memref<16xf32>) -> ()
      func.call @k(%u, %q) : (memref<16xf32>, memref<16xf32>) -> ()
    } else {
      func.call @k(%t, %q) : (memref<16xf32>, memref<16xf32>) -> ()
    }
    func.call @k(%weight, %q) : (memref<16xf32>, memref<16xf32>) -> ()
    scf.yield %q, %p : memref<16xf32>, memref<16xf32>
  }
  func.call @k(%last, %out) : (memref<16xf32>, memref<16xf32>) -> ()
  func.return
}
func.func private @k(%x: memref<16xf32>, %out: memref<16xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  func.return
}
