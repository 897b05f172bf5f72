// RUN: irtool opt %s -p verify-spmd --split-input-file --verify-diagnostics

// Private memory is every thread's own, through views too.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %t = memref.alloca() : memref<2x4xf32>
  %flat = memref.collapse_shape %t [[0, 1]] : memref<2x4xf32> into memref<8xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
    memref.store %a, %flat[%i] : memref<8xf32>
  }
  func.return
}

// -----

// What every thread has made for itself, one may look at.

func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %one = arith.constant 1.0 : f32
  %c0 = arith.constant 0 : index
  %t = memref.alloca() : memref<f32>
  memref.store %one, %t[] : memref<f32>
  spmd.single {
    %a = memref.load %t[] : memref<f32>
    memref.store %a, %x[%c0] : memref<8xf32>
  }
  func.return
}

// -----

// One thread writes what it likes.

func.func private @k(%x: memref<8xf32>, %y: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  spmd.single {
    "memref.copy"(%x, %y) : (memref<8xf32>, memref<8xf32>) -> ()
    scf.for %i = %c0 to %c8 step %c1 {
      memref.store %one, %x[%i] : memref<8xf32>
    }
  }
  spmd.barrier
  func.return
}

// -----

// A share, in strips: whole ones four by four and one by one, then the end under a mask.

func.func private @k(%x: memref<1003xf32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %n = arith.constant 1003 : index
  %c64 = arith.constant 64 : index
  %ones = vector.broadcast %one : f32 to vector<16xf32>
  %low, %high = spmd.share %n {chunk = 16 : i64} : index
  %all = arith.subi %high, %low : index
  %rest = arith.remui %all, %c16 : index
  %full = arith.subi %high, %rest : index
  %strips = arith.subi %full, %low : index
  %few = arith.remui %strips, %c64 : index
  %middle = arith.subi %full, %few : index
  scf.for %i = %low to %middle step %c64 {
    vector.store %ones, %x[%i] : memref<1003xf32>, vector<16xf32>
  }
  scf.for %i = %middle to %full step %c16 {
    vector.store %ones, %x[%i] : memref<1003xf32>, vector<16xf32>
  }
  scf.for %i = %full to %high step %c16 {
    %left = arith.subi %high, %i : index
    %mask = vector.create_mask %left : vector<16xi1>
    vector.maskedstore %x[%i], %mask, %ones : memref<1003xf32>, vector<16xi1>, vector<16xf32>
  }
  func.return
}

// -----

// A share inside of a loop that all run; places that follow from the iteration by way of bounds, memory and views.

func.func private @k(%x: memref<8x16xf32>, %indices: memref<16xindex>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c16 : index
  scf.for %i = %c0 to %c8 step %c1 {
    scf.for %j = %low to %high step %c1 {
      %end = arith.addi %j, %c1 : index
      %sum = memref.alloca() : memref<f32>
      memref.store %one, %sum[] : memref<f32>
      scf.for %k = %j to %end step %c1 {
        memref.store %one, %x[%i, %k] : memref<8x16xf32>
      }
      %column = memref.load %indices[%j] : memref<16xindex>
      memref.store %one, %x[%i, %column] : memref<8x16xf32>
    }
    spmd.barrier
  }
  func.return
}

// -----

// Work of one chunk is one thread's.

func.func private @k(%x: memref<f32>) attributes {irtool.kernel} {
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  %low, %high = spmd.share %c1 : index
  scf.for %i = %low to %high step %c1 {
    memref.store %one, %x[] : memref<f32>
  }
  func.return
}

// -----

// All look at all the rows, and change only those of their own.

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
      memref.store %one, %x[%row] : memref<16xf32>
    }
  }
  func.return
}

// -----

// Blocks are turned around to places that differ.

func.func private @k(%x: memref<16x16xf32>, %y: memref<16x16xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %low, %high = spmd.share %c16 : index
  scf.for %i = %low to %high step %c1 {
    vectorx.transpose %x[%c0, %i], %y[%i, %c0], %c8, %c1 {step = 16, to_step = 16, lanes = 16} : memref<16x16xf32>, memref<16x16xf32>
  }
  func.return
}

// -----

// The host: in front of the team it is alone, and what the team does are kernels.

func.func @step(%x: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  memref.store %one, %x[%c0] : memref<8xf32>
  func.call @k(%x) : (memref<8xf32>) -> ()
  spmd.parallel {
    scf.for %i = %c0 to %c8 step %c1 {
      func.call @k(%x) : (memref<8xf32>) -> ()
      spmd.barrier
    }
  }
  func.return
}
func.func private @k(%x: memref<8xf32>) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  spmd.single {
    memref.store %one, %x[%c0] : memref<8xf32>
  }
  func.return
}

// A block's memory, written by shares of the block and by one thread of it; in a team of one block, its barrier is enough.

func.func private @blocks() attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1.0 : f32
  %t = memref.alloc() {spmd.space = #spmd<space team>} : memref<8xf32>
  %low, %high = spmd.share %c8 {scope = #spmd<scope block>} : index
  scf.for %i = %low to %high step %c1 {
    memref.store %one, %t[%i] : memref<8xf32>
  }
  spmd.barrier {scope = #spmd<scope block>}
  spmd.single {
    memref.store %one, %t[%c0] : memref<8xf32>
  } attributes {scope = #spmd<scope block>}
  func.return
}

func.func @one_block() {
  spmd.parallel {
    func.call @blocks() : () -> ()
    spmd.barrier {scope = #spmd<scope block>}
    func.call @blocks() : () -> ()
  } attributes {scope = #spmd<scope block>}
  func.return
}

// -----

// A workspace is many buffers: what is written to one leaves the indices in another alone.

func.func private @k(%one: f32, %workspace: memref<?xi8> {irtool.workspace}) attributes {irtool.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %at = arith.constant 64 : index
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
      memref.store %one, %sums[%row] : memref<8xf32>
    }
  }
  func.return
}
