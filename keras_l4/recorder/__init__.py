"""The recorder: measures every optimizer step on the device and reads the measurements on the host.

Start with `recorder.py`: `Recorder.record` runs once per step and writes a row to the ring buffers.
`layout.py` says which column of a row holds which number, `reader.py` copies rows to the host, and
`block_builder.py` turns them into a `StepBlock`.

This package imports `backend`, `keras_internals`, `quantities` and `records`, and nothing above it:
no optimizer classes, no sessions, no event files.
"""
