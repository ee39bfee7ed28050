"""Which key a file stands for, and what is read from which file."""

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest

from meshnode.candidate.given import key_of, read_given
from meshnode.errors import UsageError


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("mesh/routes/cart", "mesh/routes/cart"),
        ("conf/mesh/routes/shop/cart.yaml", "mesh/routes/shop/cart"),
        ("conf/mesh/settings.yml", "mesh/settings"),
        ("mesh/routes/v1.2", "mesh/routes/v1.2"),
        ("mesh/rotes/cart", "mesh/rotes/cart"),
        # A mesh that lies in a folder of that name, and a route that is called so.
        ("mesh/mesh/routes/cart", "mesh/routes/cart"),
        ("mesh/routes/mesh/cart", "mesh/routes/mesh/cart"),
        ("conf/routes/cart", None),
        ("mesh", None),
    ],
)
def test_a_path_is_a_key(file: str, key: str | None) -> None:
    assert key_of(Path("/repository") / file) == key


def test_a_folder_may_be_what_is_below_mesh(tmp_path: Path) -> None:
    write(tmp_path, {"routes/cart": "a/ -> a", "settings.yaml": "limits: {}", "other/x": "?"})
    given = read_given([tmp_path])
    assert given.values.keys() == {"mesh/routes/cart", "mesh/settings"}
    assert given.files["mesh/settings"] == str(tmp_path / "settings.yaml")
    assert given.unread == (str(tmp_path / "other/x"),)


def test_what_is_hidden_and_notes_are_passed_over(tmp_path: Path) -> None:
    files = {"mesh/routes/a": "a/ -> a", "mesh/routes/a~": "", "mesh/.git/x": "", "README.md": ""}
    write(tmp_path, files)
    given = read_given([tmp_path])
    assert (list(given.values), given.unread) == (["mesh/routes/a"], ())


def test_an_export_holds_keys(tmp_path: Path) -> None:
    keys = {"mesh/routes/a": "a/ -> a", "mesh/routes/": "", "other": "x"}
    entries = [
        {"key": key, "flags": 0, "value": b64encode(value.encode()).decode()}
        for key, value in keys.items()
    ]
    (tmp_path / "export.json").write_text(json.dumps(entries))
    given = read_given([tmp_path / "export.json"])
    assert given.values == {"mesh/routes/a": b"a/ -> a", "mesh/routes/": b""}


def test_intentions_are_config_entries(tmp_path: Path) -> None:
    entry = {"Kind": "service-intentions", "Name": "cart", "Sources": []}
    (tmp_path / "cart.json").write_text(json.dumps(entry))
    assert read_given([tmp_path / "cart.json"]).intentions == (entry,)


def test_a_route_as_json_is_a_route(tmp_path: Path) -> None:
    write(tmp_path, {"mesh/routes/a.json": '{"host": "a.example", "service": "a"}'})
    assert read_given([tmp_path]).values.keys() == {"mesh/routes/a"}


def test_odd_files_are_told_or_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "mesh" / "routes"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(tmp_path)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"\xff")
    given = read_given([tmp_path])
    assert list(given.values) == ["mesh/routes/\\udcff"]
    assert all(text.isprintable() for text in given.files.values())


def test_a_key_that_stands_twice_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"mesh/routes/a": "1", "mesh/routes/a.yaml": "2"})
    assert read_given([tmp_path]).twice == (
        ("mesh/routes/a", str(tmp_path / "mesh/routes/a.yaml")),
    )


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cart").write_text("a/ -> a")
    with pytest.raises(UsageError, match="no folder mesh/"):
        read_given([tmp_path / "cart"])


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
