"""TensorFlow: the step is a graph, or runs eagerly; state is variables that it updates in place.

# Note on rounding

Recording must not change a bit of the trained weights. Grappler regroups sums and products that have
one reader, and XLA fuses them into their readers, so that a measurement that reads the gradient of an
update makes TensorFlow round the update differently. `gradients.py` and `xla.py` give the
measurements tensors of their own.

# Note on costs

Every operation costs time, to trace and at every step. `core.cond` therefore stays one operation
instead of a switch per input, and `reductions.py` packs small tensors and traces one function for
all large ones.

# Note on replicas

Under `tf.distribute.MirroredStrategy` each replica runs the step in a thread of its own. Collective
operations must run on every replica and outside of branches. Only the first replica measures, and
only it has ring buffers (`replicas.py`).
"""
