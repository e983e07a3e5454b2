"""saturated-layer: sigmoids and tanhs on their flat ends."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.records.annotations import ActivationStats, ProbeResult
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, skill

_MOST = 0.5
_NEARLY_ALL = 0.9


class SaturatedLayer(Rule):
    """Sigmoids and tanhs on their flat ends.

    What it does: counts the elements of sigmoid-like layers whose derivative is below a tenth of
        its largest, on the fixed batch. It warns where most of a hidden layer's are, or nearly all
        of the output's, and the model does no better than a constant; or where nearly all of a
        hidden layer's are, or were before training, and it falls short of half of what could be
        learned.
    Why it is bad: such an element passes less than a tenth of the gradient, in both directions of
        time: it was hard to get there, and it is hard to get away.
    What to do: scale inputs (and targets, for an output), Glorot initialization, a lower
        learning rate, relu-like hidden layers, normalization.
    When it is wrong: a classifier that is sure of itself saturates its output; that is why the
        output counts only where the model does not learn.
    Source: Glorot & Bengio 2010. A tenth of the largest derivative is |x| > 3.6 for sigmoid and
        |x| > 1.8 for tanh; most is more than half, nearly all nine tenths.
    """

    code = "saturated-layer"

    def check(self, run: RunView) -> Iterator[Finding]:
        usable = [r for r in run.responses if run.spoiled_at is None or r.step < run.spoiled_at]
        if not usable:
            return
        lost, short = learned_little(run), falls_short(run)
        answers = _saturated(usable[-1], _MOST)
        bad = [a for a in answers if _matters(run, a, lost, short)]
        early = _from_the_start(run) if short and not bad else []
        if bad or early or (answers and not _only_output(run, answers)):
            when = "Before any training, " if early else ""
            yield _finding(
                run, bad or early or answers, "warning" if bad or early else "info", when
            )


def _saturated(response: ProbeResult, least: float) -> list[ActivationStats]:
    return [a for a in response.layers if a.saturated_fraction >= least and not a.num_nonfinite]


def _from_the_start(run: RunView) -> list[ActivationStats]:
    """Hidden layers that training began with, nearly all saturated."""
    if run.untrained is None:
        return []
    hidden = {layer.name for layer in run.hidden}
    return [a for a in _saturated(run.untrained, _NEARLY_ALL) if a.name in hidden]


def _matters(run: RunView, answer: ActivationStats, lost: bool, short: bool) -> bool:
    nearly_all = answer.saturated_fraction >= _NEARLY_ALL
    if run.output is not None and answer.name == run.output.name:
        return nearly_all and lost
    return lost or (nearly_all and short)


def _only_output(run: RunView, answers: list[ActivationStats]) -> bool:
    return run.output is not None and {a.name for a in answers} == {run.output.name}


def _finding(run: RunView, answers: list[ActivationStats], severity: str, when: str) -> Finding:
    worst = max(answers, key=lambda a: a.saturated_fraction)
    names = {answer.name for answer in answers}
    first = next(
        r.step
        for r in run.responses
        if any(a.name in names and a.saturated_fraction >= _MOST for a in r.layers)
    )
    return Finding(
        code="saturated-layer",
        title="Activations are saturated",
        severity="warning" if severity == "warning" else "info",
        layers=tuple(answer.name for answer in answers),
        first_step=max(first, run.first_step),
        last_step=run.last_step,
        evidence={
            "saturated_fraction": worst.saturated_fraction,
            "expected_below": _MOST,
            "mean_relative_derivative": worst.local_gradient,
            "skill": skill(run),
        },
        explanation=f"{when}{worst.saturated_fraction:.0%} of the outputs of {worst.name} lie where "
        "the activation passes less than a tenth of the gradient.",
        advice="Scale the inputs, and targets that go beyond the activation's range; use Glorot "
        "initialization or a relu-like activation; lower the learning rate.",
    )
