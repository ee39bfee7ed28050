"""The fields of a route's document, for pydantic to check and for the published JSON Schema. What a value may be within
its type is decided where lines have it decided too.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from ..values import HOSTS_MAX, HTTPS_PATTERN, TIME_PATTERN
from .actions import REDIRECT_STATUSES
from .conditions import PLACES
from .limits import BODY_MAX_BYTES, PER, REQUESTS_MAX
from .rule import RedirectPath
from .settings import ATTEMPTS_MAX, PRIORITY_MAX
from .targets import SPLIT_MAX_PARTS


def _number_as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _as_prefix(value: Any) -> Any:
    return value if isinstance(value, dict) or value is None else {"prefix": value}


def _as_attempts(value: Any) -> Any:
    return {"attempts": value} if type(value) is int else value


def _shape(value: Any) -> str:
    return "fields" if isinstance(value, dict) else "word"


Text = Annotated[str, BeforeValidator(_number_as_text, json_schema_input_type=str | float)]
"""Text; a number in YAML without quotes is the text it looks like (`service: 7`)."""

_Listed = Annotated[list[Text], Field(min_length=1)]
Texts = Annotated[list[Text], BeforeValidator(_listed, json_schema_input_type=Text | _Listed)]
"""One text or several."""

_HTTPS_SCHEMA = {"pattern": HTTPS_PATTERN, "examples": ["redirect", "redirect+hsts=365d", "off"]}
_TIME_SCHEMA = {"pattern": TIME_PATTERN, "examples": ["250ms", "2s", "1m"]}
HttpsText = Annotated[
    str,
    BeforeValidator(
        _number_as_text,
        json_schema_input_type=Annotated[str, Field(json_schema_extra=_HTTPS_SCHEMA)],
    ),
]
Time = Annotated[
    str,
    BeforeValidator(
        _number_as_text,
        json_schema_input_type=Annotated[str, Field(json_schema_extra=_TIME_SCHEMA)],
    ),
]
"""A time with its unit; a bare number gets this far, to be told that it lacks one."""

FieldsByName = dict[str, Texts]
"""Header fields by name, each with one value or several."""


class Fields(BaseModel):
    """Nothing unknown, nothing else converted: what is written is what is meant."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


_HOSTS_SCHEMA = {"minItems": 1, "maxItems": HOSTS_MAX}
_SPLIT_SCHEMA = {"minItems": 1, "maxItems": SPLIT_MAX_PARTS}


class PathFields(Fields):
    """One of them: a prefix by whole segments, an exact path, a glob or a regex on the whole path."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    prefix: Text | None = None
    exact: Text | None = None
    glob: Text | None = None
    """`*` takes any signs but `/`, `**` any, `?` one but `/`."""
    regex: Text | None = None
    """As Rust's regex has it, on the whole path: nothing that looks around or back."""


class ConditionFields(Fields):
    """One condition: a header, query parameter or cookie and how it compares (none: it is there), or who asks."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in (*PLACES, "client", "from")]}
    )

    header: Text | None = None
    query: Text | None = None
    cookie: Text | None = None
    client: Texts | None = None
    """Networks or addresses, of which the client is in one."""
    from_: Texts | None = Field(default=None, alias="from")
    """Services, of which one calls; `edge` for what comes from outside."""
    exact: Text | None = None
    prefix: Text | None = None
    suffix: Text | None = None
    regex: Text | None = None
    negated: bool = False
    """It must not hold."""


class PartFields(Fields):
    """One service of a split and its share in percent, `90` or `90%`."""

    service: Text
    weight: Annotated[
        int | str, Field(json_schema_extra={"examples": [90, "90%"]}, union_mode="left_to_right")
    ]


class RedirectFields(Fields):
    """Where the client is sent."""

    status: Annotated[int, Field(json_schema_extra={"enum": list(REDIRECT_STATUSES)})]
    location: Text
    """A URL or a path; `{host}` in it is the host asked for."""
    path: RedirectPath | None = None
    """What of the request's path is put behind it: what is behind the route's own, all of it, nothing."""
    query: bool | None = None
    """Whether the query goes along."""


class AnswerFields(Fields):
    """What the client is answered."""

    status: Annotated[int, Field(json_schema_extra={"minimum": 200, "maximum": 599})]
    body: Text = ""
    content_type: Text | None = None
    """Left out: `text/plain; charset=utf-8`."""


class RewriteFields(Fields):
    """A path the regex takes whole becomes `to`."""

    regex: Text
    to: Text
    """`$1` to `$9` and `${name}` are what the groups took, `$$` is a `$`."""


class HeaderFields(Fields):
    """Fields that are taken away, set in place of all of their name, and added, in this order."""

    remove: Texts = Field(default_factory=list)
    set: FieldsByName = Field(default_factory=dict)
    add: FieldsByName = Field(default_factory=dict)


class BackoffFields(Fields):
    """The time between two tries: between half and all of base · 2ⁿ, at most `max`."""

    base: Time
    max: Time


class BudgetFields(Fields):
    """How many retries there may be: in a hundred of the route's requests, beside so many a second."""

    percent: Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": 1000})]
    per_second: Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": 100_000})]


class RetriesFields(Fields):
    """When and how often a request is sent again."""

    attempts: Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": ATTEMPTS_MAX})]
    on: Texts | None = None
    """`connect`, `reset`, `timeout`, `5xx`, or a status from 400 to 599; left out: connect and reset."""
    per_try_timeout: Time | None = None
    backoff: BackoffFields | None = None
    budget: BudgetFields | None = None
    non_idempotent: bool = False
    """Whether requests are repeated that may do a thing twice."""


_COUNT = Field(json_schema_extra={"minimum": 1, "maximum": REQUESTS_MAX})


class RequestLimitsFields(Fields):
    """What requests there may be: how large, how many a second, how many at one time."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    body_bytes: Annotated[
        int, Field(json_schema_extra={"minimum": 1, "maximum": BODY_MAX_BYTES})
    ] = 0
    """Of a request's body."""
    requests_per_second: Annotated[int, _COUNT] = 0
    burst: Annotated[int, _COUNT] = 0
    """How many may come at once; left out: those of a second."""
    concurrent: Annotated[int, _COUNT] = 0
    """Under way at one time."""
    per: Annotated[Text, Field(json_schema_extra={"enum": list(PER)})] = ""
    """Whose requests are counted together: of all, each calling service, or each client's address; left out: all."""


Word = Annotated[Text, Tag("word")]
WhenItem = Annotated[Word | Annotated[ConditionFields, Tag("fields")], Discriminator(_shape)]
Path = Annotated[PathFields, BeforeValidator(_as_prefix, json_schema_input_type=Text | PathFields)]


class RouteFields(Fields):
    """A route of the mesh. Exactly one of service, split, redirect and answer stands in it."""

    model_config = ConfigDict(
        title="meshnode route",
        json_schema_extra={
            "oneOf": [{"required": [name]} for name in ("service", "split", "redirect", "answer")],
            "anyOf": [{"required": [name]} for name in ("host", "hosts", "grpc", "tcp", "sni")],
        },
    )

    host: Text | None = None
    """A name, `*.` and a name, or `*`."""
    hosts: Annotated[list[Text], Field(json_schema_extra=_HOSTS_SCHEMA)] | None = None
    """Several of them."""
    path: Path | None = None
    """Left out: every path."""
    exact: bool = False
    """Whether `path` is this path alone."""
    grpc: Text | None = None
    """In place of a path: `shop.v1.Cart/Get`, or `shop.v1.Cart` for all of its methods."""
    tcp: Text | None = None
    """In place of hosts and path: the port of the edge at which raw connections are taken."""
    sni: Texts | None = None
    """In place of hosts and path: the server names whose TLS is passed on as it is."""
    passthrough: bool = False
    """Beside `sni`, always true: TLS is the service's own and does not end at the edge."""
    methods: Texts | None = None
    when: Annotated[
        list[WhenItem],
        BeforeValidator(
            _listed,
            json_schema_input_type=WhenItem | Annotated[list[WhenItem], Field(min_length=1)],
        ),
    ] = Field(default_factory=list)
    """Conditions, all of which hold; as fields, or as a line's words: `header.x-beta=1`."""
    priority: Annotated[
        int, Field(json_schema_extra={"minimum": -PRIORITY_MAX, "maximum": PRIORITY_MAX})
    ] = 0
    """Above all else: the higher is asked first."""
    service: Text | None = None
    """A service, or a subset of it: `cart[tag=v2]`."""
    split: Annotated[list[PartFields], Field(json_schema_extra=_SPLIT_SCHEMA)] | None = None
    """Services by their shares, which add up to 100."""
    redirect: RedirectFields | None = None
    answer: AnswerFields | None = None
    strip: Text | None = None
    """Taken off the path's beginning."""
    add: Text | None = None
    """Put before the path."""
    replace: Text | None = None
    """Put in place of the route's own path."""
    rewrite: RewriteFields | None = None
    rewrite_host: Text | None = None
    """The host that is sent on."""
    https: HttpsText | None = None
    """How clients are brought to TLS: off, redirect, redirect+hsts=365d."""
    request_headers: HeaderFields | None = None
    response_headers: HeaderFields | None = None
    timeout: Time | None = None
    """The whole request."""
    timeout_head: Time | None = None
    """Until the answer's head is there."""
    timeout_idle: Time | None = None
    """Without a byte either way."""
    retries: (
        Annotated[
            RetriesFields, BeforeValidator(_as_attempts, json_schema_input_type=int | RetriesFields)
        ]
        | None
    ) = None
    """How often a request is sent again, or all about it."""
    limits: RequestLimitsFields | None = None
