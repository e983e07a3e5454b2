"""What a log directory says, in the terminal, as JSON, as a page, or as a comparison of two.

Needs neither Keras nor TensorFlow, nor the model.
"""
