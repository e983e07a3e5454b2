"""Code of the backends that does not depend on the framework.

`safe_norms.py` and `float_bits.py` use the active backend. The three packages import the others:
`grouping.py` and `packing.py` batch small tensors; `captured_state.py`, `single_process.py` and
`single_replica.py` are interface functions that two of the three packages have in common.
"""
