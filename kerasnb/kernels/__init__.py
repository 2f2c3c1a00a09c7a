"""
Kernels: the compiled functions that do the arithmetic, and the contract they keep.

- Outputs come first, then inputs, then numbers. A kernel fills its outputs completely,
  returns nothing, and never changes an input. Backward kernels overwrite as well: a
  stack uses every value once, and layers side by side add up their gradients at the
  end, so nothing accumulates (a regularizer's gradient, which is added to a weight's,
  says so).
- Arrays are C-contiguous and of one float dtype, float32 or float64. Checks happen in
  the layers, before any launch: an index out of range here is silent.
- The same bits come out for any number of threads: every output belongs to one turn of
  the outer loop, and long sums run over a fixed number of blocks.
- NaN and infinity travel: no kernel hides them.
- `plain/` holds every kernel as the shortest correct loops: the definition. `cpu/` has
  faster twins of some, under the same names. `formulas/` holds the formulas of one
  number, which kernels of every device share.
- Nothing in this folder imports from above it.

Read next: `jit.py` for how they are compiled, `plain/dense.py` for the first of them.
"""
