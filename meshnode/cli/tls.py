"""`meshnode tls`: certificates of the edge in Consul. Keys are sealed here, before anything is sent."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog import TLS, ConsulClient, KvEntry, Problem, tls_host, tls_key

from ..errors import MeshnodeError, UsageError
from .completing import complete_tls_host
from .options import Asked, with_consul
from .output import say, say_json
from .reach import consul_client, run
from .verdict import say_verdict
from .waiting import TIMEOUT, Timeout, Wait, seconds_of, wait_for_verdict

if TYPE_CHECKING:
    from certs import KeyEncryptionKey

app = typer.Typer(help="Certificates of the edge, in Consul.", no_args_is_help=True)

FILE_MAX_BYTES = 256 * 1024
Host = Annotated[
    str,
    typer.Argument(
        help="The host: shop.example, or *.shop.example.", autocompletion=complete_tls_host
    ),
]


@app.command()
@with_consul
def put(
    asked: Asked,
    host: Host,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="A file: the chain in PEM, the host's own first."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="A file: the certificate's key in PEM.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="modern (TLS 1.3) or intermediate (1.2, too).")
    ] = None,
    client_authorities: Annotated[
        Path | None,
        typer.Option(
            "--client-authorities",
            help="A file: authorities in PEM, one of which has to have signed a client's certificate.",
        ),
    ] = None,
    client_mode: Annotated[
        str,
        typer.Option("--client-mode", help="required, or optional: those without one get in, too."),
    ] = "required",
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Seal a key and write it with its certificate, in the place of the host's settings until now."""
    kv_key = _key_of(host)
    if (certificate is None) != (key is None):
        raise UsageError("a certificate and its key come together: --certificate FILE --key FILE")
    fields: dict[str, Any] = {}
    if certificate is not None and key is not None:
        fields["certificate"] = _text(certificate)
        fields["key"] = _sealed(asked, host.lower(), _text(certificate), _private(key))
    if policy is not None:
        fields["policy"] = policy
    if client_authorities is not None:
        fields["client_certificates"] = {
            "mode": client_mode,
            "authorities": _text(client_authorities),
        }
    if not fields:
        raise UsageError(
            "nothing to put: --certificate FILE --key FILE, --policy or --client-authorities"
        )
    entry = KvEntry(kv_key, _written(fields), 0)
    _check(entry)
    run(_put(asked, entry, seconds_of(timeout) if wait else 0.0))


@app.command("list")
@with_consul
def list_hosts(asked: Asked) -> None:
    """List the hosts with TLS settings in Consul, and until when their certificates last."""
    run(_list(asked))


@app.command()
@with_consul
def show(asked: Asked, host: Host) -> None:
    """Show what stands in Consul for a host; of the key only by which it is sealed."""
    run(_show(asked, host))


@app.command()
@with_consul
def remove(
    asked: Asked,
    host: Host,
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Remove a host's settings, what it demands of clients included."""
    run(_remove(asked, _key_of(host), seconds_of(timeout) if wait else 0.0))


def _key_of(host: str) -> str:
    """The key of a host's settings. Raises UsageError."""
    key = tls_key(host.removeprefix(TLS).lower())
    if tls_host(key) is None:
        raise UsageError(f"{host} is no host, as shop.example or '*.shop.example' is one")
    return key


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} can not be read: {error.strerror}") from error
    if len(data) > FILE_MAX_BYTES:
        raise UsageError(f"{path} is longer than {FILE_MAX_BYTES:,} bytes: it is no PEM file")
    return data.decode("utf-8", "replace")


def _private(path: Path) -> bytes:
    text = _text(path)
    if path.stat().st_mode & stat.S_IRWXO:
        typer.echo(f"{path} can be read by everybody on this machine: chmod 600 {path}", err=True)
    return text.encode()


def _sealed(asked: Asked, host: str, certificate: str, key: bytes) -> str:
    """The key as it may stand in Consul. Raises UsageError for what no node would take."""
    from certs import EdgeCertificateError, check_host, paired, read_chain, seal_key

    try:
        paired(host, certificate, key)
        check_host(read_chain(certificate), host)
    except EdgeCertificateError as error:
        raise UsageError(str(error)) from error
    return seal_key(_key_encryption_key(asked), host, key)


def _key_encryption_key(asked: Asked) -> KeyEncryptionKey:
    from certs import KeyEncryptionKey, PrivateFileError, key_file

    settings = asked.settings
    path = key_file(settings.state_folder, settings.certificates_key_encryption_key_file)
    try:
        found = KeyEncryptionKey.load(path)
    except PrivateFileError as error:
        raise MeshnodeError(str(error)) from error
    if found is None:
        raise MeshnodeError(
            f"there is no key-encryption key here ({path}): run this on a node that has it, as the agent's user, or name "
            "its file in MESHNODE_CERTIFICATES_KEY_ENCRYPTION_KEY_FILE"
        )
    return found


def _written(fields: dict[str, Any]) -> bytes:
    """The document as YAML, whose texts keep their lines: people look at it with consul kv get."""
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            lines.append(f"{name}:")
            for inner, text in value.items():
                lines += _field(inner, text, "  ")
        else:
            lines += _field(name, value, "")
    return ("\n".join(lines) + "\n").encode()


def _field(name: str, text: str, indent: str) -> list[str]:
    said = [line.rstrip() for line in text.strip().splitlines()]
    if len(said) == 1:
        return [f"{indent}{name}: {said[0]}"]
    return [f"{indent}{name}: |", *(f"{indent}  {line}" for line in said if line)]


def _check(entry: KvEntry) -> None:
    from catalog import read_tls_entry

    found = read_tls_entry(entry)
    if isinstance(found, Problem):
        raise UsageError(f"{entry.key}: {found.message}")


async def _put(asked: Asked, entry: KvEntry, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        if not await client.kv_put(entry.key, entry.value):
            raise MeshnodeError(f"Consul did not take {entry.key}: a lock is in the way")
        await _told(asked, client, entry.key, "written", wait_s)


async def _remove(asked: Asked, key: str, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        if await client.kv_get(key) is None:
            raise MeshnodeError(f"there is no key {key}: `meshnode tls list` lists those there are")
        await client.kv_delete(key)
        await _told(asked, client, key, "deleted", wait_s)


async def _told(asked: Asked, client: ConsulClient, key: str, done: str, wait_s: float) -> None:
    if wait_s > 0:
        say_verdict(await wait_for_verdict(client, key, wait_s), as_json=asked.as_json)
    elif asked.as_json:
        say_json({"key": key, "done": done})
    else:
        say(f"{key}   {done}")


async def _list(asked: Asked) -> None:
    async with consul_client(asked.settings) as client:
        entries = await client.kv_list(TLS)
    rows = [row for entry in entries if (row := _row(entry)) is not None]
    if asked.as_json:
        say_json(rows)
        return
    if not rows:
        say("no host has TLS settings: meshnode tls put HOST --certificate FILE --key FILE")
    width = max((len(row["host"]) for row in rows), default=0)
    for row in rows:
        say(f"{row['host']:<{width}}  {row['index']:>8}  {_summary(row)}")


async def _show(asked: Asked, host: str) -> None:
    key = _key_of(host)
    async with consul_client(asked.settings) as client:
        entry = await client.kv_get(key)
    row = None if entry is None else _row(entry)
    if row is None:
        raise MeshnodeError(f"there is no key {key}: `meshnode tls list` lists those there are")
    if asked.as_json:
        say_json(row)
        return
    say(f"{row['host']}   {row['key']} index {row['index']}")
    for name in (
        "problem",
        "names",
        "issuer",
        "ends",
        "fingerprint",
        "sealed_with",
        "policy",
        "clients",
    ):
        if row.get(name):
            value = ", ".join(row[name]) if isinstance(row[name], list) else row[name]
            say(f"  {name.replace('_', ' '):<12} {value}")


def _summary(row: dict[str, Any]) -> str:
    if problem := row.get("problem"):
        return f"refused: {problem}"
    parts = [f"ends {row['ends']}" if row.get("ends") else "no certificate of its own"]
    parts += [f"policy {row['policy']}"] if row.get("policy") else []
    parts += [f"client certificates {row['clients']}"] if row.get("clients") else []
    return ", ".join(parts)


def _row(entry: KvEntry) -> dict[str, Any] | None:
    """What stands there, without the key."""
    from catalog import read_tls_entry
    from certs import EdgeCertificateError, read_chain

    host = tls_host(entry.key)
    if host is None:
        return None
    row: dict[str, Any] = {"host": host, "key": entry.key, "index": entry.modify_index}
    found = read_tls_entry(entry)
    if isinstance(found, Problem):
        return row | {"problem": found.message}
    settings = found.meaning
    if settings.policy:
        row["policy"] = settings.policy
    if settings.clients:
        row["clients"] = settings.clients.mode
    if settings.key:
        row["sealed_with"] = settings.key.split(":")[1] if ":" in settings.key else "?"
    if settings.certificate:
        try:
            leaf = read_chain(settings.certificate)[0]
        except EdgeCertificateError as error:
            return row | {"problem": str(error)}
        row |= _of_leaf(leaf)
    return row


def _of_leaf(leaf: Any) -> dict[str, Any]:
    from certs import fingerprint_of_certificate, names_of

    end: datetime = leaf.not_valid_after_utc
    return {
        "names": names_of(leaf),
        "issuer": leaf.issuer.rfc4514_string(),
        "ends": end.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "fingerprint": fingerprint_of_certificate(leaf),
    }
