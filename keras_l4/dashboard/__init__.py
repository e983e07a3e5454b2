"""The Training Diagnostics tab of TensorBoard.

`loader.py` is the entry point that TensorBoard imports, `plugin.py` maps routes to answers,
`panels/` has one file per route and `static/` the page in the browser. `http_api.md` documents the
routes.

Runs are read through TensorBoard's data provider only. This package must not import Keras,
TensorFlow, JAX or torch: the tab also works where none of them is installed.
"""
