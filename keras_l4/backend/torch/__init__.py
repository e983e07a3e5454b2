"""torch: the step runs eagerly, branches are Python's, and state is updated in place.

# Note on waiting

A branch in Python needs the value of its flag, so that it waits for the device (`core.to_flag`,
`core.logical_or`). Nothing else in this package does: the counters of the recorder live on the CPU
(`ring_buffer.py`), and constants are copied to the device once (`core.constant`).

# Note on costs

To start an operation takes a CPU as long as to process some ten thousand elements, and a GPU as long
as a million (the latter is an estimate). `reductions.py` stacks tensors of one shape.

# Note on gradients

Without `core.no_grad`, autograd would record the operations that read the weights, and keep their
inputs in memory.
"""
