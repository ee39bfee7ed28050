"""What people, scripts and accidents put under mesh/ that says nothing: a name each, the key, the value, a word of the answer."""

from __future__ import annotations

import random
from dataclasses import dataclass

HUGE = 400_000


@dataclass(frozen=True, slots=True)
class Garbage:
    """`word` stands in what the nodes say of it, and in what is said of few others."""

    key: str
    value: bytes
    word: str


def _random(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


_ALIASES = b"a: &a [x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 8)) for n in range(9)
)

ROUTES: dict[str, tuple[bytes, str]] = {
    "bytes": (_random(1, 3000), "UTF-8"),
    "many-bytes": (_random(2, HUGE), "400,000 bytes"),
    "one-byte": (b"\xff", "UTF-8"),
    "nul": (b"a.test/ -> shop\x00", "NUL"),
    "escape": (b"a.test/ -> \x1b[31mshop", "control"),
    "utf-16": ("a.test/ -> shop".encode("utf-16"), "UTF-16"),
    "empty": (b"", "empty"),
    "spaces": (b"   \n\t\n", "empty"),
    "comment": (b"# later", "only comments"),
    "huge-line": (b"a.test/ -> shop " * (HUGE // 16), "400,000 bytes"),
    "huge-comment": (b"host: a.test\nservice: shop\n" + b"#" * HUGE, "400,027 bytes"),
    "stray-quote": (b"a.test/ -> 'shop", "'shop\" is no service's name"),
    "backtick": (b"a.test/ -> `shop`", "`shop`\" is no service's name"),
    "shell": (b"$(cat /etc/passwd)", '$(cat" cannot be part of a host'),
    "no-arrow": (b"a.test/ shop", "->"),
    "two-arrows": (b"a.test/ -> shop -> secret", "a route has one"),
    "no-target": (b"a.test/ ->", "name a service"),
    "fat-arrow": (b"a.test/ => shop", 'not "=>"'),
    "unknown-setting": (b"a.test/ -> shop tiemout=2s", "timeout"),
    "unit": (b"a.test/ -> shop timeout=2", "unit"),
    "time": (b"a.test/ -> shop timeout=soon", "time"),
    "negative": (b"a.test/ -> shop retries=-1", "retries"),
    "shares": (b"a.test/ -> shop 90%, secret 20%", "100"),
    "url-target": (b"a.test/ -> http://10.0.0.1:80/", 'not to "http://10.0.0.1:80/"'),
    "port-in-host": (b"a.test:8080/ -> shop", "port"),
    "host-of-umlauts": ("bücher.test/ -> shop".encode(), "ASCII"),
    "host-too-long": (b"a" * 300 + b"/ -> shop", "253 characters"),
    "dots": (b"a.test/../x -> shop", "no segment of a path"),
    "tcp-path": (b"tcp :5432/x -> shop", 'not ":5432/x"'),
    "sni": (b"sni db.example -> shop", "passed on as it is"),
    "mirror": (b"a.test/ -> shop mirror=secret", "not in this version"),
    "json-cut": (b'{"host": "a.test", "service": ', "neither YAML nor JSON"),
    "json-twice": (b'{"host": "a.test", "host": "b.test", "service": "shop"}', "twice"),
    "json-list": (b'["a.test", "shop"]', "a mapping of fields"),
    "yaml-tabs": (b"host: a.test\n\tservice: shop", "neither YAML nor JSON"),
    "yaml-tag": (b"host: !!python/object:os.system a\nservice: shop", "!"),
    "yaml-aliases": (_ALIASES, "anchors are not taken"),
    "yaml-deep": (b"[" * 16_000, "200 brackets"),
    "yaml-two": (b"host: a.test\nservice: shop\n---\nhost: b.test\nservice: shop\n", "one document"),
    "yaml-null": (b"host:\nservice: shop", "host"),
    "regex": (b"host: a.test\npath: {regex: '('}\nservice: shop", "never closed"),
    "regex-bomb": (b"host: a.test\npath: {regex: '((a{1,1000}){1,1000}){1,1000}'}\nservice: shop", "its repetitions"),
    "other-document": (b"apiVersion: v1\nkind: Service\n", "apiVersion"),
    "html": (b"<html><body>502 Bad Gateway</body></html>", "<html>"),
}  # fmt: skip
"""Values of routes."""

OTHERS: dict[str, Garbage] = {
    "service-field": Garbage("services/shop", b"tiemout: 2s", "timeout"),
    "service-later": Garbage("services/shop", b"balance: least_request", "not in this version"),
    "service-bytes": Garbage("services/secret", _random(3, 500), "UTF-8"),
    "service-name": Garbage("services/my%20shop", b"timeout: 2s", "no service's name"),
    "settings-list": Garbage("settings", b"- timeout\n- 2s", "a mapping of fields"),
    "settings-limit": Garbage("settings", b"limits: {head_bytes: 1}", "head_bytes"),
    "settings-machine": Garbage("settings", b"edge_address: 0.0.0.0:80", "settings file"),
    "upstreams-port": Garbage("upstreams/shop", b"port: http", "port"),
    "upstreams-later": Garbage("upstreams/shop", b"15432: stock", "destinations"),
    "drain-words": Garbage("drain/x", b"please drain shop-1", "on"),
    "drain-empty": Garbage("drain/x", b"", "empty"),
    "test-arrow": Garbage("tests/x", b"GET shop.test/ cart", "arrow"),
    "test-broken": Garbage("tests/x", b"nowhere.test/ -> cart", "is expected, but"),
    "confirm": Garbage("confirm", b"yes", "index"),
    "later-folder": Garbage("middlewares/x", b"gzip: true", "not read by this version"),
    "folder": Garbage("rotes/x", b"a.test/ -> shop", "mesh/routes/x"),
    "name": Garbage("routes/my%20shop", b"a.test/ -> shop", "mesh/routes/my-shop"),
    "no-folder": Garbage("shop", b"a.test/ -> shop", "mesh/routes/shop"),
    "name-of-signs": Garbage("routes/%C3%BC%20(%C3%A9)", b"a.test/ -> shop", "route's name"),
}
"""Other keys, and keys no one reads."""

ALL: dict[str, Garbage] = {
    **{name: Garbage(f"routes/garbage/{name}", *one) for name, one in ROUTES.items()},
    **OTHERS,
}
