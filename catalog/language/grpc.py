"""gRPC routes: `shop.v1.Cart/Get` is a path, a method and a content type, and nothing else behind this file."""

from __future__ import annotations

import re

from .. import values
from ..text import Mistake, Token, quote
from .rule import Condition, PathKind

GRPC = "grpc"
METHODS = ("POST",)
CONTENT_TYPE = Condition("header", "content-type", "prefix", "application/grpc")

_SERVICE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME_MAX_CHARACTERS = 512


def read_grpc(token: Token) -> tuple[Token | None, str, PathKind]:
    """Host (None: any), path and its kind, of `Service`, `Service/Method`, `host/Service/Method` or `host/Service/*`."""
    parts = token.text.split("/")
    if len(parts) > 3:
        raise Mistake("a gRPC route is written pkg.Service/Method", token)
    host, offset = None, 0
    if len(parts) == 3:
        host, offset = token.part(0, len(parts[0])), len(parts[0]) + 1
        parts = parts[1:]
    path, kind = service_path(token.part(offset))
    return host, path, kind


def service_path(token: Token) -> tuple[str, PathKind]:
    """The path of `Service` or `Service/*`, which takes all of its methods, or of `Service/Method`."""
    service, _, name = token.text.partition("/")
    if len(token.text) > NAME_MAX_CHARACTERS:
        raise Mistake(f"a gRPC method's name has at most {NAME_MAX_CHARACTERS} characters", token)
    if not _SERVICE.fullmatch(service):
        sentence = f"{quote(service)} is no gRPC service, as in shop.v1.Cart"
        raise Mistake(sentence, token.part(0, len(service)))
    if name in ("", "*"):
        return "/" + service, "prefix"
    if not _METHOD.fullmatch(name):
        raise Mistake(f"{quote(name)} is no gRPC method", token.part(len(service) + 1))
    return f"/{service}/{name}", "exact"


def hosts(host: Token | None) -> tuple[str, ...]:
    """The hosts of a gRPC route."""
    return (values.host(host),) if host else ("*",)
