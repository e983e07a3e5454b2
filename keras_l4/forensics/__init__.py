"""Finds the origin of a NaN: capsules of recorded steps, and their replay.

While `fit` runs, a flight recorder (`observers/snapshots.py`) fills a `BatchBuffer`; at the first
non-finite number `capsule_builder.py` turns it into a `Capsule`. Later `replay.py` replays the steps of
the capsule (`step_replay.py`), finds the operation that produced the first NaN or Inf (`origin.py`,
on top of `tracing/`), and optionally tries `remedies/` (`what_if.py`). Open `replay.py` first.

`batch_buffer`, `capsule`, `capsule_builder` and `pytree_json` are used by `fit` and must not import
`tracing`, which uses debugging internals of the frameworks. The package must not import `callbacks`,
`observers` or `session`.
"""
