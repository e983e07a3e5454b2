"""Report: the findings of a recorded run as text, JSON or an HTML page, and a diff of two runs.

Start with `command.py`, which implements the commands `report`, `check` and `diff`;
`evaluated_run.py` reads a log directory and runs the rules on it.

This package imports `keras_l4.events`, `keras_l4.rules`, `keras_l4.records` and
`keras_l4.formatting` only, so it works without Keras, TensorFlow and the model.
"""
