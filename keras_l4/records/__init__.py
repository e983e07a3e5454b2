"""The data of a training run: blocks of steps, annotations, and the record that rules read.

Event files, rules, dashboard and report work with these values, without a deep learning framework.
Open `block.py` first: a `StepBlock` has the measurements of consecutive optimizer steps.
`annotations.py` and `metadata.py` define all other recorded data, and `history.py` condenses a
whole run into the `Record` that rules read.

May import NumPy and the standard library only, and nothing else of keras_l4.
"""
