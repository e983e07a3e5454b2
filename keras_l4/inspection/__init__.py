"""Inspection of what the optimizer does not see: the model, its data and its predictions.

Open `inspector.py` first: it decides when the model is inspected, and annotates the run with the
results. `model_metadata.py`, `fit_data.py` and `target_metadata.py` describe the model and its data
before training. `probe.py` runs the model on a small fixed batch; `activation_stats.py` and
`prediction_scores.py` summarize the outputs.

This package must not import `session`, `observers` or `callbacks`.
"""
