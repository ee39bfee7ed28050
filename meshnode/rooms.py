"""Makes sure that `catalog`, `certs` and `observability` are ours: the names are common ones on PyPI too.

Runs before anything is imported from them, so it may import nothing of ours but the errors.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .errors import StartError

ROOMS = ("catalog", "certs", "observability")


def check_rooms() -> None:
    """Raises StartError, naming the file in the way, unless each room lies beside this package."""
    home = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        found = _origin(room)
        if found is None:
            raise StartError(
                f'the package "{room}" of meshnode is missing from {home}: install meshnode again, '
                "in an environment of its own (pipx install meshnode)"
            )
        if found.parent.parent != home:
            raise StartError(
                f'another package called "{room}" is in the way ({found}): install meshnode in an '
                "environment of its own (pipx install meshnode), or take that one off PYTHONPATH"
            )


def _origin(room: str) -> Path | None:
    """The file that `import <room>` would run; the folder's own name where it has none."""
    spec = importlib.util.find_spec(room)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve()
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() / "__init__.py" if places else None
