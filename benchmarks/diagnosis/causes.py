"""Why a verdict is another one where a program is trained again; by way of training and program."""

from __future__ import annotations

CAUSES = {
    ("tensorflow, half the batch", "labels-without-meaning"): "twice as many steps: in the second "
    "half the weights went 11 times their norm instead of 4, so that the rate is blamed, and the "
    "plateau is a note",
    ("tensorflow, half the batch", "more-noise-than-signal"): "twice as many steps: it learns a "
    "little, and the false alarm is none here",
    ("torch", "inputs-without-meaning"): "other initial weights: the weights went 13 times their "
    "norm for little, so that the rate is blamed, and the plateau is a note",
    ("torch", "layers-without-activation"): "other initial weights: it answers 13 % better than "
    "chance, and the rule warns below 10 %; it says the same as a note",
    ("torch", "more-noise-than-signal"): "other initial weights: the false alarm is none here",
}
