"""What serves `irtool.compile`. The story of a compiled call:

    step(x, y, lr)

1. **Look up** (`compiled.py`). The call is flattened (`frontend/tree.py`); structure, shapes, dtypes and modes are its
   key. The programs of a key are asked in turn (`specialize.py`): do the guards hold, and do the numbers that Python
   computes from this call lead to the same answers as when the program was traced? The first that fits runs: go to 7.
   Where nothing but captured tensors were replaced, by others of their kind, a copy of a program is bound to these
   (`rebind.py`).

2. **Discover** (`discovery.py`, `mentioned.py`, `code_names.py`, `places.py`). A walk from the function's globals,
   closure and arguments lists what it can reach, by the names in its bytecode, without running any code of the user.
   Each value found is a **guard** (`guards.py`, `guard_set.py`): where it is kept (its source) and what it was.
   Functions are read nearest first; beyond the first few hundred, each is read when it begins to run in the trace, so
   that what a large package could call, and does not, costs nothing.
   Large containers and arrays are watched where traced code loads them, or the call runs uncompiled (`large.py`).

   A `threading.local()` is an object whose attributes are the calling thread's (`thread_locals.py`): each thread that
   calls gets programs of its own.

   Memory is a guard as well. A trace knows it by storages: what is one storage is one argument of the program. In each
   call of a program that writes, what is written to must be apart from all else (`aliasing.py`), and where Python would
   replace a tensor while the program writes into its memory, nobody else may have that (`holders.py`).

3. **Trace** (`call_trace.py`). The function runs once on tensors without values; `frontend/tracing` records ops of
   hl. For this time the user's functions have instrumented bytecode (`instrument.py`): what they load, store, compare
   by `is` and call passes through hooks (`hooks.py`), which ask the observer of the trace in their own thread
   (`observer.py`, `callables.py`). Other threads run the same code and find numbers and lists as they are: what stands
   for these is handed to traced code alone. What it assigns to attributes and variables is kept in an overlay
   (`overlay.py`), where it alone finds it; of lists and dictionaries that it may change it gets copies (`copies.py`),
   `log.append` is that of a list of its own. Memory and history that it gives to tensors (`p.data = v`) are fields of
   its thread's own (`tracing/own_fields.py`). One trace goes on at a time.

4. **Symbolic numbers** (`symbolic.py`, `changed_numbers.py`, `dynamic.py`, `evaluation.py`). A number is a constant
   of its first trace, guarded by value. One that has changed, or that the code itself assigns, is symbolic: this
   call's value, and a node of a graph of Python operations. Calls evaluate the graph in Python, exactly, and hand
   results to the program as arguments. Whatever is asked of a symbolic number besides (a branch, `hash`, an index,
   its text) is a node too, whose value is guarded. No question has to be known beforehand: every method of a number's
   type that is no arithmetic is a read.

5. **Side effects** (`find_effects.py`, `effects.py`). What tracing changed in Python (attributes, variables, lists,
   `.grad`) is found by comparing guards, taken back, and repeated by each call. Prints, log records and warnings are
   **deferred** (`stand_ins.py`): each call makes them, with its values. What foreign code does is a table
   (`purity.py`). Where traced code is about to reach anything that it does not list, the trace is given up and taken
   back before that happens, and the call runs uncompiled (`uncompiled.py`), with one warning that names the line.
   Draws from iterators and from random numbers of Python and numpy are traced anew in each call.

       q, self.lock, file                     an object of a type that is not listed, there before: when traced
                                              code loads it, whoever may then ask it something (`reached.py`)
       map(q.put, xs), type(q).put(q, 1)      methods tell by the class that they are of
       Thread(...), np.add(out=a), ctypes     classes and ufuncs tell where they are called, by their names in the table
       a += 1, a[0] = 3, for line in file     operators on foreign objects pass hooks that ask for their types
       optree.tree_map(f, x)                  packages in C that call back: rows of a table (`extensions.py`)
       __repr__, default_factory, __get__     functions of the user that others call are instrumented too; one that
                                              discovery did not come across is discovered when it begins to run
       C() where C has __del__                when objects die is nothing that a program repeats
       table(n) of functools.lru_cache        runs as ever, gives tensors of its own, and is asked again by each call

   A profiler or tracer of the user's (`sys.setprofile`, `sys.settrace`) is not touched: nothing of this uses them.

6. **Compile**. The trace becomes a module (`traced.py`), the module a program (`runtime/compiler.py`); where
   gradients flow back from the results, one for each direction (`backward.py`). Arguments of the call and objects
   that only guards know are let go of.

7. **Launch** (`launch.py`). Pointers are set, the program runs, results are wrapped, effects are applied in their
   order. If anything raises (an index out of bounds, a number that Python cannot compute), state is as it was before
   the call.

A trace is made again (`tracing/again.py`) where it learns too late what it should have known: that a list is read as
well as written to, that a tensor is read and replaced.
"""
