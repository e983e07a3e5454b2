"""torch: the step runs eagerly, branches are Python's, and state is updated in place.

# Note on waiting

A branch in Python needs the value of its flag, so that it waits for the device (`core.to_flag`,
`core.logical_or`). No other function waits: the counters of the recorder live on the CPU
(`ring_buffer.py`), and constants are copied to the device once (`core.constant`).

# Note on costs

Starting an operation on a CPU costs as much as processing about 10,000 elements (on a GPU about a
million, an estimate). `reductions.py` stacks tensors of one shape.

# Note on gradients

Without `core.no_grad`, autograd would record the operations that read the weights, and keep their
inputs in memory.
"""
