// RUN: irtool opt %s | irtool opt | filecheck %s

// CHECK-LABEL: func.func @lanes
func.func @lanes(%a: vector<16xf32>, %b: vector<16xf32>, %i: vector<16xi32>) {
  // CHECK-NEXT: %m = vectorx.cmpf olt, %a, %b : vector<16xf32>
  %m = vectorx.cmpf olt, %a, %b : vector<16xf32>
  // CHECK-NEXT: %n = vectorx.cmpi uge, %i, %i : vector<16xi32>
  %n = vectorx.cmpi uge, %i, %i : vector<16xi32>
  // CHECK-NEXT: vectorx.select %m, %a, %b : vector<16xf32>
  %s = vectorx.select %m, %a, %b : vector<16xf32>
  // CHECK-NEXT: vectorx.extf %a : vector<16xf32> to vector<16xf64>
  %w = vectorx.extf %a : vector<16xf32> to vector<16xf64>
  // CHECK-NEXT: vectorx.sitofp %i : vector<16xi32> to vector<16xf32>
  %f = vectorx.sitofp %i : vector<16xi32> to vector<16xf32>
  func.return
}
