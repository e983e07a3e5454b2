"""Keras' optimizers, bit for bit, that can record what they do; and recording for any other."""

from keras_l4.optimizers.adadelta import Adadelta
from keras_l4.optimizers.adagrad import Adagrad
from keras_l4.optimizers.adam import Adam
from keras_l4.optimizers.adamax import Adamax
from keras_l4.optimizers.adamw import AdamW
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.optimizers.nadam import Nadam
from keras_l4.optimizers.rmsprop import RMSprop
from keras_l4.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "RMSprop",
    "instrument",
    "restore",
]
