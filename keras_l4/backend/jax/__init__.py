"""JAX: the step is a pure function that XLA compiles; arrays are immutable.

# Note on state

Keras passes the variables of the optimizer through the jitted step. The ring buffers travel at their
tail, and only while the step runs (`step_state.py`). A write makes a new array; XLA reuses the memory
of the old one if the caller donates it.

# Note on rounding

Recording must not change a bit of the trained weights. XLA moves transposes, reshapes and
factors through everything that reads them, and fuses a value into all of its readers. A second reader
of a gradient may therefore change how the update is rounded. `gradients.py` gives the measurements
tensors of their own, `core.apply_unless` selects the updated values with a `cond`, and
`reductions.py` has barriers.

# Note on costs

XLA compiles every operation on every array, and allocates the outputs of branches at every step.
`reductions.py` packs small arrays. On the CPU, `weight_buffer.py` keeps copies of the weights between
steps, because XLA would make new ones at every step. Where a step runs eagerly, branches run in
Python: `jax.lax.cond` would be compiled anew at each call.

# Note on devices

On a mesh an array may be split over devices. To flatten or to pack it would gather it on each of
them; `arrays.splits_variables` says when that has to be avoided.
"""
