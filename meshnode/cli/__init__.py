"""The command `meshnode`. Checks that the rooms are ours before it imports one of them; every error is one sentence."""

from __future__ import annotations

import sys

from .. import VERSION


def main() -> None:
    """The console script. Ends the process with one of the codes of errors.py."""
    if sys.argv[1:] in (["version"], ["--version"]):
        # What scripts ask again and again: nothing is loaded for it.
        sys.stdout.write(f"meshnode {VERSION}\n")
        return
    from ..errors import MeshnodeError
    from ..rooms import check_rooms

    try:
        check_rooms()
    except MeshnodeError as error:
        sys.stderr.write(f"meshnode: {error}\n")
        sys.exit(error.exit_code)
    from .app import run

    run()
