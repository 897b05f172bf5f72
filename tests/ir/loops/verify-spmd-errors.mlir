// RUN: irtool opt %s -p verify-spmd --split-input-file --verify-diagnostics

// What all threads run writes nothing that they share, by whatever operation.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%i] : memref<8xf32>
  }
  func.return
}

// -----

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %v = vector.broadcast %one : f32 to vector<16xf32>
  // expected-error@+1 {{vector.store: every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
  vector.store %v, %x[%c0] : memref<16xf32>, vector<16xf32>
  func.return
}

// -----

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  %v = vector.broadcast %one : f32 to vector<16xf32>
  %m = vector.create_mask %c8 : vector<16xi1>
  // expected-error@+1 {{vector.maskedstore: every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
  vector.maskedstore %x[%c0], %m, %v : memref<16xf32>, vector<16xi1>, vector<16xf32>
  func.return
}

// -----

func.func private @k(%y: memref<8xf32>, %x: memref<8xf32>) attributes {irtool.kernel} {
  // expected-error@+1 {{memref.copy: every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
  "memref.copy"(%y, %x) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}

// -----

func.func private @k(%y: memref<16x16xf32>, %x: memref<16x16xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  // expected-error@+1 {{vectorx.transpose: every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
  vectorx.transpose %y[%c0, %c0], %x[%c0, %c0], %c8, %c8 {step = 16, to_step = 16, lanes = 16} : memref<16x16xf32>, memref<16x16xf32>
  func.return
}

// -----

// A view of an argument is no private memory.

func.func private @k(%x: memref<2x4xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %flat = memref.collapse_shape %x [[0, 1]] : memref<2x4xf32> into memref<8xf32>
  // expected-error@+1 {{every thread of the team would write %x}}
  memref.store %one, %flat[%c0] : memref<8xf32>
  func.return
}

// -----

// The first thread by its number, ranges worked out by hand: nothing that could be proved.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %me = spmd.thread_id : index
  %first = arith.cmpi eq, %me, %c0 : index
  scf.if %first {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%c0] : memref<8xf32>
  }
  func.return
}

// -----

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  %me = spmd.thread_id : index
  %team = spmd.thread_count : index
  scf.for %i = %me to %c8 step %team {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%i] : memref<8xf32>
  }
  func.return
}

// -----

// A loop that leaves its share.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  %more = arith.addi %high, %c1 : index
  scf.for %i = %low to %more step %c1 {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%i] : memref<16xf32>
  }
  func.return
}

// -----

// From one share to the end of another.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  %low8, %high8 = spmd.share %c8 : index
  scf.for %i = %low8 to %high step %c1 {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%i] : memref<16xf32>
  }
  func.return
}

// -----

// `x - (x - y) mod n` where y may be above x.

func.func private @k(%x: memref<1000xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %n = arith.constant 1000 : index
  %low, %high = spmd.share %n : index
  %all = arith.subi %high, %low : index
  %rest = arith.remui %all, %c16 : index
  %full = arith.subi %high, %rest : index
  %less = arith.subi %low, %full : index
  %odd = arith.remui %less, %c16 : index
  %wrong = arith.subi %low, %odd : index
  scf.for %i = %wrong to %high step %c1 {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%i] : memref<1000xf32>
  }
  func.return
}

// -----

// All iterations of a share at one place: threads would race for it.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{each thread would write the same place of %x in its share}}
    memref.store %one, %x[%c0] : memref<16xf32>
  }
  func.return
}

// -----

func.func private @k(%x: memref<16xf32>, %rows: memref<8xindex>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %row = memref.load %rows[%i] : memref<8xindex>
    %above = arith.cmpi sge, %row, %low : index
    %below = arith.cmpi slt, %row, %high : index
    %owned = arith.andi %above, %below : i1
    scf.if %owned {
      // expected-error@+1 {{each thread would write the same place of %x in its share}}
      memref.store %one, %x[%i] : memref<16xf32>
    }
  }
  func.return
}

// -----

// A number that is another for each thread may lie in the part of each.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  %me = spmd.thread_id : index
  %above = arith.cmpi sge, %me, %low : index
  %below = arith.cmpi slt, %me, %high : index
  %owned = arith.andi %above, %below : i1
  scf.if %owned {
    // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
    memref.store %one, %x[%me] : memref<16xf32>
  }
  func.return
}

// -----

// Nor is a part an upper end alone.

func.func private @k(%x: memref<16xf32>, %rows: memref<8xindex>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %row = memref.load %rows[%i] : memref<8xindex>
    %below = arith.cmpi slt, %row, %high : index
    scf.if %below {
      // expected-error@+1 {{every thread of the team would write %x; expected this in an spmd.single, or in a loop over an spmd.share}}
      memref.store %one, %x[%row] : memref<16xf32>
    }
  }
  func.return
}

// -----

// A share of a share: the rest is nobody's.

func.func private @k(%x: memref<16x16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{spmd.share: not every thread comes here}}
    %from, %to = spmd.share %c16 : index
  }
  func.return
}

// -----

func.func private @k(%x: memref<16x16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{scf.for: only some threads come here, so work would be left undone}}
    scf.for %j = %low to %high step %c1 {
      memref.store %one, %x[%i, %j] : memref<16x16xf32>
    }
  }
  func.return
}

// -----

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  spmd.single {
    // expected-error@+1 {{scf.for: only one thread comes here, so all shares but its own would be left undone}}
    scf.for %j = %low to %high step %c1 {
      memref.store %one, %x[%j] : memref<16xf32>
    }
  }
  func.return
}

// -----

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{spmd.single: only some threads come here, so work would be left undone}}
    spmd.single {
      memref.store %one, %x[%i] : memref<16xf32>
    }
  }
  func.return
}

// -----

// Sums that each thread makes of its own part.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  // expected-error@+1 {{scf.for: what a share carries would be another value for each thread}}
  %sum = scf.for %i = %low to %high step %c1 iter_args(%acc = %one) -> (f32) {
    %a = memref.load %x[%i] : memref<16xf32>
    %b = arith.addf %acc, %a : f32
    scf.yield %b : f32
  }
  func.return
}

// -----

// Barriers that some never come to.

func.func private @k() attributes {irtool.kernel} {
  spmd.single {
    // expected-error@+1 {{spmd.barrier: only one thread comes here}}
    spmd.barrier
  }
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{spmd.barrier: not every thread comes here}}
    spmd.barrier
  }
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %me = spmd.thread_id : index
  scf.for %i = %c0 to %me step %c1 {
    // expected-error@+1 {{not every thread comes to this barrier, so the others would wait for ever}}
    spmd.barrier
  }
  func.return
}

// -----

// Private memory that one thread fills and all read.

func.func private @k(%x: memref<16xf32>) attributes {irtool.kernel} {
  %one = arith.constant 1.0 : f32
  %t = memref.alloca() : memref<f32>
  spmd.single {
    // expected-error@+1 {{%t is private to a thread, but others than those here use it}}
    memref.store %one, %t[] : memref<f32>
  }
  %a = memref.load %t[] : memref<f32>
  func.return
}

// -----

// Calls: of what is no kernel, and by one thread of what is the whole team's.

func.func private @other(memref<8xf32>)
func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  // expected-error@+1 {{cannot tell what @other writes: it is no kernel of this module}}
  func.call @other(%x) : (memref<8xf32>) -> ()
  func.return
}

// -----

func.func private @other(%x: memref<8xf32>) attributes {irtool.kernel} {
  func.return
}
func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  spmd.single {
    // expected-error@+1 {{func.call: only one thread comes here}}
    func.call @other(%x) : (memref<8xf32>) -> ()
  }
  func.return
}

// -----

// In the host's team the same holds.

func.func @step(%x: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  spmd.parallel {
    // expected-error@+1 {{memref.store: every thread of the team would write %x}}
    memref.store %one, %x[%c0] : memref<8xf32>
  }
  func.return
}

// -----

// What an operation does to memory must be known.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{vector.print: cannot tell what it writes}}
  "vector.print"(%c0) : (index) -> ()
  func.return
}

// -----

// Threads that look at a number while its owner changes it may find it in the part of each.

func.func private @k(%rows: memref<8xindex>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %low, %high = spmd.share %c8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %row = memref.load %rows[%i] : memref<8xindex>
    %above = arith.cmpi sge, %row, %low : index
    %below = arith.cmpi slt, %row, %high : index
    %owned = arith.andi %above, %below : i1
    scf.if %owned {
      // expected-error@+1 {{every thread of the team would write %rows}}
      memref.store %c0, %rows[%row] : memref<8xindex>
    }
  }
  func.return
}

// -----

func.func private @other(%x: memref<8xf32>) attributes {irtool.kernel} {
  func.return
}
func.func private @k() attributes {irtool.kernel} {
  %t = memref.alloca() : memref<8xf32>
  // expected-error@+1 {{@other is the whole team's work, but is given what is private to a thread}}
  func.call @other(%t) : (memref<8xf32>) -> ()
  func.return
}

// -----

// All threads of a team leave it, or none does.

func.func @step(%r: memref<3xi64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  spmd.parallel {
    %me = spmd.thread_id : index
    scf.for %i = %c0 to %me step %c1 {
      // expected-error@+1 {{spmd.stop_on_error: some threads of the team would go on, and wait for the others for ever}}
      spmd.stop_on_error %r into %r : memref<3xi64>, memref<3xi64>
    }
  }
  func.return
}

// -----

// Scopes and spaces: what one thread of a block writes is the block's, what one of the grid writes everybody's.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  spmd.single {
    // expected-error@+1 {{memref.store: one thread of every block would write %x}}
    memref.store %one, %x[%c0] : memref<8xf32>
  } attributes {scope = #spmd<scope block>}
  func.return
}

// -----

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c8 {scope = #spmd<scope block>} : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{memref.store: one thread of every block would write %x}}
    memref.store %one, %x[%i] : memref<8xf32>
  }
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  %t = memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  %low, %high = spmd.share %c8 : index
  scf.for %i = %low to %high step %c1 {
    // expected-error@+1 {{memref.store: one block alone would have %t written}}
    memref.store %one, %t[%i] : memref<8xf32>
  }
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %t = memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  // expected-error@+1 {{memref.store: every thread of the team would write %t}}
  memref.store %one, %t[%c0] : memref<8xf32>
  func.return
}

// -----

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  func.return
}

func.func @step(%x: memref<8xf32> {irtool.out = 0 : i64}) {
  spmd.parallel {
    func.call @k(%x) : (memref<8xf32>) -> ()
    // expected-error@+1 {{spmd.barrier: between kernels the whole grid waits, or threads of other blocks go on}}
    spmd.barrier {scope = #spmd<scope block>}
  }
  func.return
}

// -----

func.func @step(%x: memref<8xf32> {irtool.out = 0 : i64}) {
  // expected-error@+1 {{memref.alloc: expected the memory of a block in a kernel: it ends with the block}}
  %t = memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  // expected-error@+1 {{memref.alloca: spmd.space: expected #spmd<space private>, got #spmd<space team>}}
  %t = memref.alloca() {spmd.space = #spmd<space team>} : memref<8xf32>
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  // expected-error@+1 {{memref.alloc: spmd.space: expected #spmd<space global> or #spmd<space team>, got #spmd<space private>}}
  %t = memref.alloc() {spmd.space = #spmd<space private>} : memref<8xf32>
  func.return
}

// -----

func.func private @k() attributes {irtool.kernel} {
  // expected-error@+1 {{arith.constant: spmd.space: expected it on an allocation}}
  %t = arith.constant {spmd.space = #spmd<space team>} 0 : index
  func.return
}

// -----

// Who owns a row must be the same question for all threads: here they write over the rows.

func.func private @k(%one: f32, %workspace: memref<?xi8> {irtool.workspace}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %at = arith.constant 60 : index
  %rows = memref.view %workspace[%c0][] : memref<?xi8> to memref<8xi64>
  %sums = memref.view %workspace[%at][] : memref<?xi8> to memref<8xf32>
  %low, %high = spmd.share %c8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %r = memref.load %rows[%i] : memref<8xi64>
    %row = arith.index_cast %r : i64 to index
    %above = arith.cmpi sge, %row, %low : index
    %below = arith.cmpi slt, %row, %high : index
    %mine = arith.andi %above, %below : i1
    scf.if %mine {
      // expected-error@+1 {{memref.store: every thread of the team would write %workspace; expected this in an spmd.single}}
      memref.store %one, %sums[%row] : memref<8xf32>
    }
  }
  func.return
}
