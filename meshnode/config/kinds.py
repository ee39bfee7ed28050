"""The kinds of value a setting can have: each turns what a person wrote into a value, or says what it should be.

Pure: no file is opened and no name is looked up here.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Kind:
    """`form` is what help and errors call it; `parse` takes text, or TOML's own type, and raises ValueError.

    `unit` is the ending of the attribute's name (`_s`), which the setting's own name does without. `words` are the
    only values there are, where they can be told; `toml` says how a value stands in the file.
    """

    form: str
    parse: Callable[[Any], Any]
    unit: str = ""
    words: tuple[str, ...] = ()
    toml: Literal["text", "bare", "list"] = "text"


def choice(*words: str) -> Kind:
    """One of a few words."""

    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"it is one of {', '.join(words)}")
        return str(value)

    return Kind("|".join(words), parse, words=words)


def or_word(kind: Kind, word: str) -> Kind:
    """The kind, or one word that stands for "none" (the value is then None)."""

    def parse(value: Any) -> Any:
        return None if value == word else kind.parse(value)

    form = f"{kind.form}|{word}" if word else kind.form
    words = (*kind.words, word) if kind.words else ()
    return replace(kind, form=form, parse=parse, words=words)


def whole(lowest: int, highest: int) -> Kind:
    """A whole number within bounds."""

    def parse(value: Any) -> int:
        try:
            number = int(_scalar(value))
        except ValueError:
            raise ValueError(f"it is a whole number from {lowest} to {highest}") from None
        if not lowest <= number <= highest:
            raise ValueError(f"it is a whole number from {lowest} to {highest}")
        return number

    return Kind(f"{lowest}-{highest}", parse, toml="bare")


def share(value: Any) -> float:
    """From 0 to 1."""
    try:
        number = float(_scalar(value))
    except ValueError:
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise ValueError("it is a share from 0 to 1, such as 0.1")
    return number


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is a text, in quotes")  # noqa: TRY004  (parse raises ValueError alone)
    return value


def path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("it is a path")
    return Path(value).expanduser().absolute()


def truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("it is true or false")


def duration_s(value: Any) -> float:
    """Seconds, from `90s`, `24h`, `500ms`; a bare number is refused, because nobody knows its unit."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("it is a time with its unit, such as 24h, 30m or 500ms")
    return float(match[1]) * _SECONDS[match[2]]


def socket_address(value: Any) -> str:
    """`ip:port` or `[ipv6]:port`, in its shortest form; a bare port stands for all addresses."""
    shown = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(shown, str):
        raise ValueError("it is address:port, such as 127.0.0.1:7000")  # noqa: TRY004
    host, _, port = shown.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]") or "0.0.0.0")  # noqa: S104  (what ":8080" means everywhere)
    except ValueError:
        raise ValueError(
            "it is address:port with a numeric address, such as 0.0.0.0:8080"
        ) from None
    number = _port(port)
    return f"[{address}]:{number}" if address.version == 6 else f"{address}:{number}"


def advertised(value: Any) -> tuple[str, int | None]:
    """The address others dial, and the port where it is another than the one listened on: behind a NAT it is."""
    shown = value if isinstance(value, str) else ""
    try:
        return str(ipaddress.ip_address(shown.strip("[]"))), None
    except ValueError:
        pass
    host, _, port = shown.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise ValueError(
            "it is a numeric address, or address:port, such as 203.0.113.5 or 203.0.113.5:17443"
        ) from None
    if address.is_unspecified:
        raise ValueError("nobody can dial it: it is an address the other machines reach")
    return str(address), _port(port)


def root_pin(value: Any) -> str:
    if not isinstance(value, str) or not _PIN.fullmatch(value):
        raise ValueError(
            "it is sha256: and 64 hex digits, as `meshnode join --print` shows it on a node that stands"
        )
    return value


def ip_address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("it is a numeric address, such as 127.0.0.1") from None


def loopback(value: Any) -> str:
    address = ip_address(value)
    if not ipaddress.ip_address(address).is_loopback:
        raise ValueError("it is a loopback address, such as 127.0.0.1: others must not reach it")
    return address


def port_range(value: Any) -> tuple[int, int]:
    """First and last port, both in it, from `15000-15999`."""
    first, dash, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise ValueError("it is a range of ports, such as 15000-15999")
    low, high = _port(first.strip()), _port(last.strip())
    if low > high:
        raise ValueError("its first port is above its last")
    return low, high


def networks(value: Any) -> tuple[str, ...]:
    """Networks in CIDR form: a TOML list, or text with commas. A single address is a network of one."""
    try:
        return tuple(str(ipaddress.ip_network(word)) for word in _words(value))
    except ValueError as error:
        raise ValueError(f"it is a list of networks, such as 10.0.0.0/8 ({error})") from None


def names(value: Any) -> frozenset[str]:
    """Names of services: a TOML list, or text with commas."""
    words = _words(value)
    if not all(_NAME.fullmatch(word) for word in words):
        raise ValueError("it is a list of service names, such as cart, stock")
    return frozenset(words)


def http_address(value: Any) -> str:
    """`host:port` or `http(s)://host:port[/path]`, as Consul's own tools take it."""
    if not isinstance(value, str) or not value:
        raise ValueError("it is host:port or a URL, such as 127.0.0.1:8500")
    if value.isascii() and value.isdigit():
        raise ValueError(f"it is host:port, such as 127.0.0.1:{value}")
    scheme, mark, rest = value.rpartition("://")
    if mark and scheme not in ("http", "https"):
        raise ValueError("it begins with http:// or https://, or with neither")
    host, colon, port = rest.partition("/")[0].rpartition(":")
    if not colon:
        host, port = port, ""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (_HOST.fullmatch(bare) or _is_ip(bare)):
        raise ValueError("it is host:port or a URL, such as 127.0.0.1:8500")
    if port:
        _port(port)
    return value


def url(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise ValueError("it is a URL, such as http://127.0.0.1:16686")
    return value.rstrip("/")


def _words(value: Any) -> list[str]:
    words = value if isinstance(value, list) else str(value).split(",")
    return [str(word).strip() for word in words if str(word).strip()]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _port(word: str) -> int:
    if not word.isascii() or not word.isdigit() or not 1 <= int(word) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return int(word)


def _scalar(value: Any) -> Any:
    """Numbers and text; TOML's booleans and lists are neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError  # noqa: TRY004  (parse raises ValueError alone)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


ADDRESS = Kind("address:port", socket_address)
LOOPBACK = Kind("loopback address", loopback)
HTTP_ADDRESS = Kind("host:port", http_address)
URL = Kind("URL", url)
PORTS = Kind("first-last", port_range)
ADVERTISED = Kind("address[:port]", advertised)
ROOT_PIN = Kind("sha256:hex", root_pin)
NETWORKS = Kind("networks", networks, toml="list")
NAMES = Kind("names", names, toml="list")
PATH = Kind("path", path)
TEXT = Kind("text", text)
TRUTH = Kind("true|false", truth, words=("true", "false"), toml="bare")
DURATION = Kind("time", duration_s, unit="_s")
SHARE = Kind("0-1", share, toml="bare")
