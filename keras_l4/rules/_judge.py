"""Judge: a record goes in, findings come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from keras_l4.records.history import Record
from keras_l4.rules._base import Rule, registry
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding

Rules = str | Sequence[str]
PRESETS = ("default", "strict", "autotrainer", "deepdiagnosis", "sagemaker")


def select_rules(rules: Rules) -> tuple[Rule, ...]:
    """The rules of a preset, or of these codes.

    Raises:
        TypeError: `rules` is neither a string nor a list of strings.
        ValueError: There is no such preset, or no such rule.
    """
    known = registry()
    own = [code for code, rule in known.items() if rule.preset == "default"]
    if isinstance(rules, str):
        if rules not in PRESETS:
            raise ValueError(
                f"rules={rules!r}: expected one of {list(PRESETS)}, or a list of some of {own}."
            )
        preset = "default" if rules == "strict" else rules
        return tuple(rule for rule in known.values() if rule.preset == preset)
    try:
        codes = list(rules)
    except TypeError as error:
        raise TypeError(
            f"rules={rules!r}: expected one of {list(PRESETS)}, or a list of codes such as "
            '["nonfinite"].'
        ) from error
    for code in codes:
        if code not in known:
            raise ValueError(f"rules has {code!r}: expected some of {sorted(known)}.")
    return tuple(known[code] for code in codes)


class RuleEngine:
    """Applies rules to a record.

    Args:
        rules: `"default"`; `"strict"`, in which notes are warnings; codes of rules; or the
            published cut-offs of `"autotrainer"`, `"deepdiagnosis"`, `"sagemaker"`.

    Attributes:
        names: The preset, or the codes.

    Raises:
        TypeError, ValueError: As `chosen` does.
    """

    def __init__(self, rules: Rules = "default") -> None:
        self._rules = select_rules(rules)
        self.names = (rules,) if isinstance(rules, str) else tuple(r.code for r in self._rules)
        self._strict = rules == "strict"
        self._broken: set[str] = set()

    @classmethod
    def of(cls, record: Record, on_error: Callable[[str, Exception], object]) -> RuleEngine:
        """The one that the callback had; that of `"default"` where the record does not say.

        Args:
            record: What was recorded.
            on_error: Called with the code of a rule that is not defined in this process, as one of
                the user's own may be, and what is wrong. It is left out.
        """
        names = record.facts.rules if record.facts else ()
        if not names or names[0] in PRESETS:
            return cls(*names[:1])
        known = registry()
        for code in names:
            if code not in known:
                on_error(code, LookupError("there is no such rule here"))
        return cls([code for code in names if code in known])

    def findings(
        self, record: Record, on_error: Callable[[str, Exception], object]
    ) -> tuple[Finding, ...]:
        """The worst first, what was there before training before what was not, in order of steps.

        Args:
            record: What was recorded.
            on_error: Called with the code of a rule that raised, which is switched off, and
                what it raised.
        """
        found: list[tuple[Rule, Finding]] = []
        for rule in self._rules:
            if rule.code not in self._broken:
                found += [(rule, finding) for finding in self._of(rule, record, on_error)]
        has_cause = any(f.rank > 0 and not rule.is_guess(f) for rule, f in found)
        findings = [
            replace(finding, severity="info") if has_cause and rule.is_guess(finding) else finding
            for rule, finding in found
        ]
        if self._strict:
            findings = [replace(f, severity="warning") if not f.rank else f for f in findings]
        roots = {rule.code for rule in self._rules if rule.is_root}
        return tuple(
            sorted(findings, key=lambda f: (-f.rank, f.code not in roots, f.first_step, f.code))
        )

    def _of(
        self, rule: Rule, record: Record, on_error: Callable[[str, Exception], object]
    ) -> list[Finding]:
        try:
            with np.errstate(all="ignore"):
                return list(rule.check(RunView(record)))
        except Exception as error:
            self._broken.add(rule.code)
            on_error(rule.code, error)
            return []
