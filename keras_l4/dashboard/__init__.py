"""The tab Training Diagnostics of TensorBoard: what was recorded, at a glance.

Reads through TensorBoard's data provider only, and needs neither Keras nor TensorFlow. The routes
are documented in `http_api.md`.
"""
