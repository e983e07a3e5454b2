"""Keras' optimizers, bit for bit, that can record what they do; and recording for any other."""

from keras_l4.optimizers.adagrad import Adagrad
from keras_l4.optimizers.adam import Adam
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.optimizers.rmsprop import RMSprop
from keras_l4.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "RMSprop", "instrument", "restore"]
