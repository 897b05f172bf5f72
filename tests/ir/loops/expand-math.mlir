// RUN: irtool opt %s -p expand-math | filecheck %s

// CHECK-LABEL: func.func private @functions
// CHECK-NOT:     math.{{exp|tanh|sin}}
// CHECK:         math.roundeven
// CHECK:         math.fma
// CHECK:         arith.bitcast %{{.*}} : i32 to f32
// CHECK-NOT:     math.{{exp|tanh|sin}} %{{.*}} : f32
// f64 calls the library, and so does pow; square roots are instructions.
// CHECK:         math.exp %{{.*}} : f64
// CHECK:         math.powf %{{.*}} : f32
// CHECK:         math.sqrt %{{.*}} : f32
func.func private @functions(%x: memref<f32>, %d: memref<f64>) attributes {irtool.kernel} {
  %a = memref.load %x[] : memref<f32>
  %b = math.exp %a : f32
  %c = math.tanh %b : f32
  %e = math.sin %c : f32
  %f = memref.load %d[] : memref<f64>
  %g = math.exp %f : f64
  memref.store %g, %d[] : memref<f64>
  %h = math.powf %e, %a : f32
  %i = math.sqrt %h : f32
  memref.store %i, %x[] : memref<f32>
  func.return
}
