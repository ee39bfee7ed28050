"""docs/settings.md: every line of the settings table, for people who look one up. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .setting import Setting
from .settings import TABLE

HEAD = """# Settings

What a node is told once, at its start. All else is live and stands in Consul under `mesh/`.

A setting is taken from its flag, else from its variable, else from the file (`/etc/meshnode/meshnode.toml`, or `--config FILE`, or `MESHNODE_CONFIG`), else it has its default.
`meshnode config show` says which value holds and where it comes from; `meshnode config check` finds every mistake at once. Times have a unit (`500ms`, `90s`, `24h`); an address is numeric, and `:8080` is port 8080 on all of this
machine's addresses. [packaging/meshnode.toml](../packaging/meshnode.toml) is a file with all of them. Where spans go is said by the standard variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and the rest of `OTEL_*`).

`meshnode join` writes the file for a machine that joins a mesh that stands. With systemd: [packaging/meshnode.service](../packaging/meshnode.service) says in its head how it is installed.
"""


def settings_page() -> str:
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for section in dict.fromkeys(sorted((line.section for line in TABLE), key=bool)):
        yield f"## {section or 'The node'}"
        yield ""
        for line in TABLE:
            if line.section == section:
                yield from (_head(line), "", line.sentence, "")


def _head(line: Setting) -> str:
    """`admin.address` = `127.0.0.1:7000` · flags · variables · form."""
    flags = [flag for flag in (line.flag, line.short_flag) if flag]
    parts = [
        f"**`{line.name}`** = `{line.default}`" if line.default else f"**`{line.name}`**",
        ", ".join(f"`{flag}`" for flag in flags) or "no flag: others would read it",
        ", ".join(f"`{variable}`" for variable in line.variables),
        line.kind.form,
    ]
    return " · ".join(parts)
