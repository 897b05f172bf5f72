// RUN: irtool opt %s -p lower-linalg | filecheck %s

// CHECK-LABEL: func.func private @record
// CHECK:         %[[S:.*]] = memref.load %signs[]
// CHECK:         arith.cmpi slt, %[[S]]
// CHECK:         %[[R:.*]] = memref.load %record[%{{.*}}]
// CHECK:         arith.cmpi eq, %[[R]]
// CHECK:         scf.if
// CHECK-NEXT:      %{{.*}}, %{{.*}} = scf.for
// CHECK-NEXT:        %{{.*}}, %{{.*}} = scf.for
// CHECK-NEXT:          memref.load %x
// CHECK:           memref.store %{{.*}}, %record
// CHECK-NEXT:      memref.store %{{.*}}, %record
// CHECK-NEXT:      memref.store %{{.*}}, %record
func.func private @record(%signs: memref<i64>, %x: memref<4x5xi32>, %record: memref<3xi64>) attributes {irtool.kernel} {
  linalgx.record outside_but low 0 high 10 allowed -100 number 3
    ins(%signs, %x : memref<i64>, memref<4x5xi32>) outs(%record : memref<3xi64>)
  func.return
}
