"""Documents made from code are as the code makes them now, and what is in them is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshnode.cli.examples import EXAMPLES
from meshnode.cli.generated import generated_files
from meshnode.config import TABLE, Given, Settings, examine_settings, read_settings
from meshnode.config.document import settings_document

ROOT = Path(__file__).parents[3]
FILES = generated_files()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_what_is_generated_is_as_the_code_says(path: Path) -> None:
    there = (ROOT / path).read_text() if (ROOT / path).exists() else ""
    assert there == FILES[path], f"{path} is not as the code says: run make docs, and commit it"


def test_no_page_is_left_of_a_command_that_is_no_more() -> None:
    pages = {path.relative_to(ROOT) for path in (ROOT / "docs/commands").glob("*.md")}
    assert pages <= FILES.keys(), "run make docs"


def test_every_command_has_an_example() -> None:
    pages = {path.stem for path in FILES if path.parent.name == "commands"} - {"README"}
    assert pages == set(EXAMPLES), "each command has a line in meshnode/cli/examples.py"
    assert all("meshnode " in one.line for examples in EXAMPLES.values() for one in examples)


def test_the_sample_says_the_defaults(tmp_path: Path) -> None:
    """Every line of it, with the comment sign taken away, is what holds without a file."""
    sample = FILES[Path("packaging/meshnode.toml")]
    path = tmp_path / "all.toml"
    path.write_text(re.sub(r"(?m)^# ([a-z_]+ = )", r"\1", sample))
    set_all = examine_settings(Given({}, {}, path))
    assert set_all.mistakes == ()
    assert {one.place.origin for one in set_all.sources.values()} == {"file"}
    path.with_name("none.toml").write_text(sample)
    assert set_all.settings == read_settings(Given({}, {}, path.with_name("none.toml")))


def test_what_was_set_is_in_force_as_it_was_given(tmp_path: Path) -> None:
    values = {
        "callers": "port",
        "edge.trusted_proxies": "10.0.0.0/8, 192.0.2.1",
        "proxy.threads": "3",
        "proxy.drain": "500ms",
        "certificates.signer": False,
        "consul.token_file": 'a "quoted"\\path',
        "mesh.advertise": "203.0.113.5:17443",
    }
    path = tmp_path / "meshnode.toml"
    path.write_text(settings_document(values, head="one\ntwo"))
    settings: Settings = read_settings(Given({}, {}, path))
    assert settings.edge_trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32")
    assert (settings.callers, settings.proxy_threads, settings.proxy_drain_s) == ("port", 3, 0.5)
    assert settings.certificates_signer is False
    assert settings.mesh_advertise == ("203.0.113.5", 17443)
    assert str(settings.consul_token_file).endswith('a "quoted"\\path')


def test_the_page_of_settings_names_all_of_them() -> None:
    page = FILES[Path("docs/settings.md")]
    for line in TABLE:
        assert f"**`{line.name}`**" in page
        assert line.sentence in page
