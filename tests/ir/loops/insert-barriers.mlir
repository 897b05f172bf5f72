// RUN: irtool opt %s -p insert-barriers --split-input-file | filecheck %s

// Readers of the same buffer go together; one waits for what it reads, and for those who still read what it overwrites.

// CHECK-LABEL: func.func @step
// CHECK-NEXT:    spmd.parallel {
// CHECK-NEXT:      func.call @copy(%x, %a)
// CHECK-NEXT:      func.call @copy(%x, %b)
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      func.call @copy(%a, %y)
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      func.call @copy(%b, %a)
// CHECK-NEXT:    }
// CHECK-NEXT:    func.return
func.func @step(%x: memref<8xf32>, %a: memref<8xf32>, %b: memref<8xf32>, %y: memref<8xf32>) {
  func.call @copy(%x, %a) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @copy(%x, %b) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @copy(%a, %y) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @copy(%b, %a) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @copy(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %i = spmd.thread_id : index
  %v = memref.load %x[%i] : memref<8xf32>
  memref.store %v, %y[%i] : memref<8xf32>
  func.return
}

// -----

// Bytes of the arena: only those that overlap matter. What the first thread alone does is in order anyway.

// CHECK-LABEL: func.func @step
// CHECK:         spmd.parallel {
// CHECK-NEXT:      func.call @copy(%x, %p)
// CHECK-NEXT:      func.call @copy(%x, %q)
// CHECK-NEXT:      func.call @first(%x, %y)
// CHECK-NEXT:      func.call @first(%y, %z)
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      func.call @copy(%x, %r)
func.func @step(%x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>, %arena: memref<128xi8> {irtool.arena}) {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c64 = arith.constant 64 : index
  %p = memref.view %arena[%c0][] : memref<128xi8> to memref<8xf32>
  func.call @copy(%x, %p) : (memref<8xf32>, memref<8xf32>) -> ()
  %q = memref.view %arena[%c64][] : memref<128xi8> to memref<8xf32>
  func.call @copy(%x, %q) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @first(%x, %y) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @first(%y, %z) : (memref<8xf32>, memref<8xf32>) -> ()
  %r = memref.view %arena[%c16][] : memref<128xi8> to memref<8xf32>
  func.call @copy(%x, %r) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @copy(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %i = spmd.thread_id : index
  %v = memref.load %x[%i] : memref<8xf32>
  memref.store %v, %y[%i] : memref<8xf32>
  func.return
}
func.func private @first(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  spmd.single {
    %v = memref.load %x[%c0] : memref<8xf32>
    memref.store %v, %y[%c0] : memref<8xf32>
  }
  func.return
}

// -----

// Around a loop: the next round reads what this one writes last. In front of the loop: all of it must wait at once.

// CHECK-LABEL: func.func @scan
// CHECK:           func.call @copy(%x, %h)
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      scf.for
// CHECK-NEXT:        func.call @copy(%h, %g)
// CHECK-NEXT:        spmd.barrier
// CHECK-NEXT:        func.call @copy(%g, %h)
// CHECK-NEXT:        spmd.barrier
// CHECK-NEXT:      }
// CHECK-NEXT:      func.call @copy(%h, %y)
func.func @scan(%x: memref<8xf32>, %h: memref<8xf32>, %g: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  func.call @copy(%x, %h) : (memref<8xf32>, memref<8xf32>) -> ()
  scf.for %i = %c0 to %c5 step %c1 {
    func.call @copy(%h, %g) : (memref<8xf32>, memref<8xf32>) -> ()
    func.call @copy(%g, %h) : (memref<8xf32>, memref<8xf32>) -> ()
  }
  func.call @copy(%h, %y) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @copy(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %i = spmd.thread_id : index
  %v = memref.load %x[%i] : memref<8xf32>
  memref.store %v, %y[%i] : memref<8xf32>
  func.return
}

// -----

// After a branch, what either side did may still be going on.

// CHECK-LABEL: func.func @branch
// CHECK:           scf.if
// CHECK-NEXT:        func.call @copy(%x, %a)
// CHECK:           }
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      func.call @copy(%a, %b)
func.func @branch(%x: memref<8xf32>, %a: memref<8xf32>, %b: memref<8xf32>, %flag: memref<i1>) {
  %c = memref.load %flag[] : memref<i1>
  scf.if %c {
    func.call @copy(%x, %a) : (memref<8xf32>, memref<8xf32>) -> ()
  }
  func.call @copy(%a, %b) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @copy(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %i = spmd.thread_id : index
  %v = memref.load %x[%i] : memref<8xf32>
  memref.store %v, %y[%i] : memref<8xf32>
  func.return
}

// -----

// No team where the first thread does all there is to do.

// CHECK-LABEL: func.func @step
// CHECK-NOT:     spmd
// CHECK:         func.call @first(%x, %y)
// CHECK-NEXT:    func.call @first(%y, %z)
// CHECK-NEXT:    func.return
func.func @step(%x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>) {
  func.call @first(%x, %y) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @first(%y, %z) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @first(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  spmd.single {
    %v = memref.load %x[%c0] : memref<8xf32>
    memref.store %v, %y[%c0] : memref<8xf32>
  }
  func.return
}

// -----

// Few elements are checked before there is a team; a team stops where all of it comes to, behind a barrier.

// CHECK-LABEL: func.func @step
// CHECK-NEXT:    func.call @check(%i, %r)
// CHECK-NEXT:    spmd.stop_on_error %r into %errors {first}
// CHECK-NEXT:    spmd.parallel {
// CHECK-NEXT:      func.call @check(%i, %errors)
// CHECK-NEXT:      func.call @copy(%x, %y)
// CHECK-NEXT:      spmd.barrier
// CHECK-NEXT:      spmd.stop_on_error %errors into %errors :
// CHECK-NEXT:      func.call @copy(%x, %z)
// CHECK-NEXT:    }
func.func @step(%i: memref<8xi64>, %r: memref<3xi64>, %errors: memref<3xi64>, %x: memref<8xf32>, %y: memref<8xf32>,
                %z: memref<8xf32>) {
  func.call @check(%i, %r) : (memref<8xi64>, memref<3xi64>) -> ()
  spmd.stop_on_error %r into %errors {first} : memref<3xi64>, memref<3xi64>
  func.call @check(%i, %errors) : (memref<8xi64>, memref<3xi64>) -> ()
  func.call @copy(%x, %y) : (memref<8xf32>, memref<8xf32>) -> ()
  spmd.stop_on_error %errors into %errors : memref<3xi64>, memref<3xi64>
  func.call @copy(%x, %z) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @check(%x: memref<8xi64>, %y: memref<3xi64>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%c0] : memref<8xi64>
  spmd.single {
    memref.store %v, %y[%c0] : memref<3xi64>
  }
  func.return
}
func.func private @copy(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %i = spmd.thread_id : index
  %v = memref.load %x[%i] : memref<8xf32>
  memref.store %v, %y[%i] : memref<8xf32>
  func.return
}
