"""`meshnode check`: what a node would say of keys that are still files, without any mesh. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Annotated, Any

import typer

from ..candidate.checking import Checked, Finding
from ..candidate.checking import check as check_given
from ..candidate.given import Given, read_given
from ..candidate.lone import lone_proxy
from ..errors import EXIT_REFUSED, UsageError
from .misplaced import FOLDERS, meant
from .options import Json
from .output import console, count, escaped, say, say_json
from .reach import run
from .verdict import say_source


def add_to(app: typer.Typer) -> None:
    app.command()(check)


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Files and folders of keys, laid out as the keys are (mesh/routes/shop); or what "
            "`consul kv export` wrote.",
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Check files of keys as a node would, without a mesh: every mistake with its place; ends with 1 where there is one."""
    missing = next((path for path in files if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}")
    given = read_given(files)
    if not given.values and not given.twice:
        raise UsageError(
            f"there is no key in {', '.join(map(str, files))}: a key stands as mesh/routes/NAME"
        )
    found = run(_check(given))
    if as_json:
        say_json(document_of(found))
    else:
        _say(found)
    if not found.is_good:
        raise typer.Exit(EXIT_REFUSED)


async def _check(given: Given) -> Checked:
    async with lone_proxy() as client:
        return await check_given(given, client)


def document_of(found: Checked) -> dict[str, Any]:
    """For programs."""
    return {
        "is_good": found.is_good,
        "keys": len(found.given.values),
        "expectations": found.expectations,
        "problems": [_problem(one) for one in found.findings],
        "misplaced": [
            {"file": file, "key": key, "suggestion": meant_key}
            for file, key, meant_key in misplaced(found.given)
        ],
        "unchecked": list(found.unchecked),
        "unread": list(found.given.unread),
    }


def misplaced(given: Given) -> Iterator[tuple[str, str, str]]:
    """File, key and the key that was meant: of an export's keys, and of folders that are nearly called `mesh`."""
    for key, file in given.beside:
        if found := meant(key):
            yield file, key, found
    for file in given.unread:
        parts = PurePath(file).parts
        for at in range(len(parts)):
            key = "/".join(parts[at:])
            # A folder "routes" may be anything of a repository.
            if parts[at] not in FOLDERS and (found := meant(key)):
                yield file, key, found
                break


def _problem(one: Finding) -> dict[str, Any]:
    document = one.problem.to_json()
    del document["index"]
    return {"file": one.file, **document}


def _say(found: Checked) -> None:
    for one in found.findings:
        _say_finding(one)
    for file, key, meant_key in misplaced(found.given):
        sentence = f'warning: no node reads "{key}"; did you mean "{meant_key}"?'
        console().print(f"{escaped(file)}: [yellow]{escaped(sentence)}[/]")
    for file in found.given.unread:
        say(f"{file}: not read, it is no key (there is no folder mesh/ on the way to it)")
    errors = sum(one.is_error for one in found.findings)
    warnings = len(found.findings) - errors
    parts = [count(len(found.given.values), "key")]
    if found.expectations:
        parts.append(count(found.expectations, "expectation"))
    parts.append(count(errors, "mistake") if errors else "no mistake")
    if warnings:
        parts.append(count(warnings, "warning"))
    say(", ".join(parts))
    for sentence in found.unchecked:
        say(f"not checked: {sentence}")


def _say_finding(one: Finding) -> None:
    """`mesh/routes/shop:1:14: sentence`, as compilers say it, so that an editor jumps there."""
    problem = one.problem
    places = (problem.line, problem.column if problem.line else None)
    where = ":".join([one.file or problem.key, *(str(part) for part in places if part)])
    colour = "red" if one.is_error else "yellow"
    kind = "" if one.is_error else "warning: "
    console().print(f"{escaped(where)}: [{colour}]{escaped(kind + problem.message)}[/]")
    say_source(problem)
