"""Rule engine: selects rules, runs them on a record and orders their findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from keras_l4.records.history import Record
from keras_l4.rules._base import Rule, registry
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView

Rules: TypeAlias = str | Sequence[str]
OnError: TypeAlias = Callable[[str, Exception], object]
PRESETS = ("default", "strict", "autotrainer", "deepdiagnosis", "sagemaker")


def select_rules(rules: Rules) -> tuple[Rule, ...]:
    """Returns the rules of a preset, or the rules with the given codes.

    Raises:
        TypeError: `rules` is neither a string nor a list of strings.
        ValueError: There is no such preset or no such rule.
    """
    if isinstance(rules, str):
        if rules not in PRESETS:
            codes = [code for code, rule in registry.items() if rule.preset == "default"]
            raise ValueError(
                f"rules={rules!r}: expected one of {list(PRESETS)}, or a list of some of {codes}."
            )
        preset = "default" if rules == "strict" else rules
        return tuple(rule for rule in registry.values() if rule.preset == preset)
    try:
        codes = list(rules)
    except TypeError as error:
        raise TypeError(
            f"rules={rules!r}: expected one of {list(PRESETS)}, or a list of codes such as "
            '["nonfinite"].'
        ) from error
    for code in codes:
        if code not in registry:
            raise ValueError(f"rules contains {code!r}: expected some of {sorted(registry)}.")
    return tuple(registry[code] for code in codes)


class RuleEngine:
    """Runs rules on a record.

    Args:
        rules: `"default"`; `"strict"`, which raises every `"info"` finding to a warning; a list
            of rule codes; or a preset with the published thresholds of another tool:
            `"autotrainer"`, `"deepdiagnosis"` or `"sagemaker"`.

    Attributes:
        names: The name of the preset, or the codes of the rules.

    Raises:
        TypeError, ValueError: As for `select_rules`.
    """

    def __init__(self, rules: Rules = "default") -> None:
        self._rules = select_rules(rules)
        self.names = (rules,) if isinstance(rules, str) else tuple(r.code for r in self._rules)
        self._is_strict = rules == "strict"
        self._disabled_codes: set[str] = set()

    @classmethod
    def of(cls, record: Record, on_error: OnError) -> RuleEngine:
        """Returns an engine with the rules that evaluated the run while it was recorded.

        Falls back to `"default"` for a record that does not name its rules.

        Args:
            record: The recorded run.
            on_error: Called with the code of each rule that is not defined in this process, such
                as a rule of the user's own, and a `LookupError`. The rule is skipped.
        """
        names = record.metadata.rules if record.metadata else ()
        if not names or names[0] in PRESETS:
            return cls(*names[:1])
        for code in names:
            if code not in registry:
                on_error(code, LookupError("this rule is not defined in this process"))
        return cls([code for code in names if code in registry])

    def findings(self, record: Record, on_error: OnError) -> tuple[Finding, ...]:
        """Returns all findings: by severity, then root causes first, then by first step.

        Args:
            record: The recorded run.
            on_error: Called with the code of a rule that raised, and the exception. The rule is
                disabled for the lifetime of this engine.
        """
        pairs: list[tuple[Rule, Finding]] = []
        for rule in self._rules:
            if rule.code not in self._disabled_codes:
                pairs += [(rule, finding) for finding in self._check(rule, record, on_error)]
        has_cause = any(f.rank > 0 and not rule.is_tentative(f) for rule, f in pairs)
        findings = [
            replace(f, severity="info") if has_cause and rule.is_tentative(f) else f
            for rule, f in pairs
        ]
        if self._is_strict:
            findings = [replace(f, severity="warning") if not f.rank else f for f in findings]
        roots = {rule.code for rule in self._rules if rule.is_root}
        return tuple(
            sorted(findings, key=lambda f: (-f.rank, f.code not in roots, f.first_step, f.code))
        )

    def _check(self, rule: Rule, record: Record, on_error: OnError) -> list[Finding]:
        try:
            # Rules divide by norms that may be 0, and compare the resulting NaN and Inf.
            with np.errstate(all="ignore"):
                return list(rule.check(RunView(record)))
        except Exception as error:
            self._disabled_codes.add(rule.code)
            on_error(rule.code, error)
            return []
