"""One recording of one training: reads the recorder, writes the event file, informs the callbacks.

Open `session.py` first: a `Session` is what the callbacks of one optimizer share during one `fit`.
It makes the optimizer record (`fit.py`, or `loop.py` for custom loops), turns recorded rows into
blocks (`block_stream.py`, `read_schedule.py`, `step_index.py`), writes them (`run_writer.py`,
`histograms.py`) and passes them to its members (`member.py`). `options.py` has the arguments that
all callbacks have in common, `config.py` merges those of several callbacks.

This package must not import `callbacks`, and it imports no `observers`.
"""
