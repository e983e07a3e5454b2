"""The static files: everything below `static/`, and plotly's JavaScript from its package."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

PLOTLY_ROUTE = "/plotly.min.js"

_CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
_SECONDS_PER_DAY = 86400


@dataclass(frozen=True)
class StaticFile:
    """A file to serve.

    Attributes:
        content_type: The media type.
        read: Returns the content, compressed by gzip if `is_compressed`.
        is_compressed: Whether the content is compressed.
        expires: Seconds for which browsers may reuse the file without a new request.
    """

    content_type: str
    read: Callable[[], bytes]
    is_compressed: bool = False
    expires: int = 0


def static_files() -> dict[str, StaticFile]:
    """Returns the served files by route.

    Requests are looked up in this dict, so a path like `../plugin.py` cannot reach other files.
    """
    files = {
        f"/static/{path}": StaticFile(content_type, read)
        for path, content_type, read in _served_files(_static_folder())
    }
    plotly = StaticFile("text/javascript", _compressed_plotly, True, _SECONDS_PER_DAY)
    return files | {PLOTLY_ROUTE: plotly}


def panel_modules() -> list[str]:
    """Returns the file names of the modules in `static/panels`, sorted."""
    return sorted(path for path, _, _ in _served_files(_static_folder() / "panels"))


def _static_folder() -> Traversable:
    return resources.files(__package__) / "static"


def _served_files(
    folder: Traversable, prefix: str = ""
) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yields path, content type and reader of each file in `folder` and its subfolders."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _served_files(item, f"{prefix}{item.name}/")
        else:
            for suffix, content_type in _CONTENT_TYPES.items():
                if item.name.endswith(suffix):
                    yield f"{prefix}{item.name}", content_type, item.read_bytes


@cache
def _compressed_plotly() -> bytes:
    # TensorBoard would compress the 4.8 MB at every request, which takes 0.2 s.
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=3, mtime=0)
