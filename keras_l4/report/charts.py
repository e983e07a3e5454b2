"""Charts as inline SVG, which needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

_COLUMNS = 120
_LABEL = 200
_WIDTH = 720
_ROW = 18
# Nine colors of viridis (Smith & van der Walt 2015, CC0).
_VIRIDIS = (
    *("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c"),
    *("#28ae80", "#5ec962", "#addc30", "#fde725"),
)
_MISSING = "#888888"
_NONFINITE = "#d62728"


def heat_map(steps: np.ndarray, names: Sequence[str], values: np.ndarray) -> str:
    """Draws log₁₀ of `values` (`float[steps, names]`), one row per name.

    Each cell shows the median of its steps, or is red if any value is not finite.
    """
    parts = np.array_split(np.arange(len(steps)), min(_COLUMNS, len(steps)))
    has_nonfinite = np.array([(~np.isfinite(values[part])).any(axis=0) for part in parts])
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.array([_finite_median(values[part]) for part in parts]))
    finite = logs[np.isfinite(logs)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    width = _WIDTH / len(parts)
    cells = [
        f'<rect x="{_LABEL + i * width:.2f}" y="{j * _ROW}" width="{width + 0.3:.2f}" '
        f'height="{_ROW - 1}" fill="{_NONFINITE if has_nonfinite[i, j] else _color(logs[i, j], low, high)}">'
        f"<title>{escape(names[j])}, step {steps[parts[i][0]]}: "
        f"{'not finite' if has_nonfinite[i, j] else f'1e{logs[i, j]:.2f}'}</title></rect>"
        for i in range(len(parts))
        for j in range(len(names))
    ]
    labels = [_label(name, row * _ROW + 13) for row, name in enumerate(names)]
    bottom = len(names) * _ROW + 16
    axis = _axis(bottom, int(steps[0]), int(steps[-1]), f"log₁₀ {low:.1f} (dark) to {high:.1f}")
    return _svg(bottom + 8, [*labels, *cells, axis])


def line_chart(steps: np.ndarray, names: Sequence[str], values: np.ndarray) -> str:
    """Draws log₁₀ of `values` (`float[steps, names]`), one line per name.

    A line has a gap where the value is not positive.
    """
    selected = np.unique(np.linspace(0, len(steps) - 1, 4 * _COLUMNS).astype(int))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values[selected].astype(np.float64))
    finite = logs[np.isfinite(logs)]
    if not finite.size:
        return "<p>No value above 0 was recorded.</p>"
    low, high = float(finite.min()), max(float(finite.max()), float(finite.min()) + 1e-9)
    height = 220
    x = _LABEL + _WIDTH * (steps[selected] - steps[0]) / max(1, int(steps[-1] - steps[0]))
    y = 8 + (height - 16) * (high - logs) / (high - low)
    polylines = [
        f'<polyline fill="none" stroke="{_color(j, 0, max(1, len(names) - 1))}" '
        f'stroke-width="1.5" points="{_points(x, y[:, j])}"><title>{escape(name)}</title>'
        "</polyline>"
        for j, name in enumerate(names)
    ]
    ticks = [_label(f"1e{high:.1f}", 14), _label(f"1e{low:.1f}", height - 6)]
    axis = _axis(height + 14, int(steps[0]), int(steps[-1]), "dark: first layers")
    return _svg(height + 24, [*ticks, *polylines, axis])


def _finite_median(values: np.ndarray) -> np.ndarray:
    """Returns the median of the finite values of each column; NaN for a column without any."""
    finite = np.where(np.isfinite(values), values, np.nan)
    medians = np.full(values.shape[1], np.nan)
    has_value = ~np.isnan(finite).all(axis=0)
    medians[has_value] = np.nanmedian(finite[:, has_value], axis=0)
    return medians


def _color(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return _MISSING
    position = (value - low) / (high - low) if high > low else 0.5
    return _VIRIDIS[round(position * (len(_VIRIDIS) - 1))]


def _points(x: np.ndarray, y: np.ndarray) -> str:
    pairs = zip(x, y, strict=True)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in pairs if np.isfinite(b))


def _label(text: str, y: float) -> str:
    shortened = text if len(text) <= 30 else f"…{text[-29:]}"
    return f'<text x="{_LABEL - 6}" y="{y}" text-anchor="end">{escape(shortened)}</text>'


def _axis(y: int, first: int, last: int, caption: str) -> str:
    return (
        f'<text x="{_LABEL}" y="{y}">step {first}</text>'
        f'<text x="{_LABEL + _WIDTH / 2}" y="{y}" text-anchor="middle">{escape(caption)}</text>'
        f'<text x="{_LABEL + _WIDTH}" y="{y}" text-anchor="end">{last}</text>'
    )


def _svg(height: int, parts: Sequence[str]) -> str:
    view_box = f"0 0 {_LABEL + _WIDTH + 4} {height}"
    return f'<svg viewBox="{view_box}" role="img">{"".join(parts)}</svg>'
