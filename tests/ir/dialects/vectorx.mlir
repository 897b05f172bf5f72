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

// CHECK-LABEL: func.func @blocks
func.func @blocks(%x: memref<40x64xf32>, %y: memref<64x48xf32>, %i: index, %rows: index, %columns: index) {
  // CHECK-NEXT: vectorx.transpose %x[%i, %i], %y[%i, %i], %rows, %columns {step = 64 : i64, to_step = 48 : i64, lanes = 16 : i64} : memref<40x64xf32>, memref<64x48xf32>
  vectorx.transpose %x[%i, %i], %y[%i, %i], %rows, %columns {step = 64, to_step = 48, lanes = 16} : memref<40x64xf32>, memref<64x48xf32>
  func.return
}
