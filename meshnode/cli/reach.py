"""What commands reach: Consul with the user's token, and this machine's own agent. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from catalog import ConsulClient, ConsulDenied

from ..config import Settings
from ..errors import MeshnodeError, SettingsError

T = TypeVar("T")

# A token is a UUID or a short word; a longer file is another file given by mistake.
TOKEN_LIMIT_BYTES = 4096
WITHOUT_ONE = "no token was given: set CONSUL_HTTP_TOKEN, or --consul-token-file"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end."""
    return asyncio.run(work)


@asynccontextmanager
async def consul_client(settings: Settings) -> AsyncIterator[ConsulClient]:
    """A client for one command, closed with it."""
    token = token_of(settings)
    client = ConsulClient(settings.consul_address, token)
    try:
        yield client
    except ConsulDenied as error:
        if token is not None:
            raise
        raise MeshnodeError(f"{WITHOUT_ONE}; without one, {error}") from error
    finally:
        await client.close()


def token_of(settings: Settings) -> str | None:
    """Consul's token: the one set, else the file's. Raises SettingsError; never shows it."""
    path = settings.consul_token_file
    if settings.consul_token or path is None:
        return settings.consul_token or None
    try:
        with path.open("rb") as file:
            raw = file.read(TOKEN_LIMIT_BYTES + 1)
        token = raw.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(str(path), f"Consul's token can not be read: {reason}") from error
    if not token or len(raw) > TOKEN_LIMIT_BYTES or not token.isprintable():
        raise SettingsError(str(path), "there is no token in it (one line is expected)")
    return token
