"""Why a verdict is another one where a program is trained again; by way of training and program."""

from __future__ import annotations

CAUSES = {
    ("torch", "inputs-without-meaning"): "other initial weights: the weights went 13 times their "
    "norm for little, so that the rate is blamed, and the plateau is a note",
    ("torch", "layers-without-activation"): "other initial weights: it answers 13 % better than "
    "chance, and the rule warns below 10 %; it says the same as a note",
    ("torch", "more-noise-than-signal"): "other initial weights: the false alarm is none here",
}
