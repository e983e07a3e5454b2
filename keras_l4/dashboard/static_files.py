"""Static files: our own modules, found by being here, and plotly's JavaScript from its package."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_TYPES = {".js": "text/javascript", ".css": "text/css"}
PLOTLY = "/plotly.min.js"
_PANELS = "panels"


@dataclass(frozen=True)
class StaticFile:
    """One file that is served.

    Attributes:
        content_type: Its media type.
        read: Gives its content, compressed by gzip where `is_compressed`.
        is_compressed: Whether it is.
        expires: Seconds for which a browser need not ask again.
    """

    content_type: str
    read: Callable[[], bytes]
    is_compressed: bool = False
    expires: int = 0


def static_files() -> dict[str, StaticFile]:
    """Route to file. What is not in it is not served, whatever a path says."""
    root = resources.files(__package__) / "static"
    served = {f"/static/{name}": StaticFile(kind, read) for name, kind, read in _walk(root, "")}
    day = 86400
    return served | {PLOTLY: StaticFile("text/javascript", _plotly, True, day)}


def panel_modules() -> list[str]:
    """File names of the modules in `static/panels`, sorted."""
    folder = resources.files(__package__) / "static" / _PANELS
    return sorted(name for name, _, _ in _walk(folder, ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            for ending, kind in _TYPES.items():
                if item.name.endswith(ending):
                    yield f"{prefix}{item.name}", kind, item.read_bytes


@cache
def _plotly() -> bytes:
    """Compressed once: TensorBoard would do it at every request, 0.2 s each."""
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=3, mtime=0)
