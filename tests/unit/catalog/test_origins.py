"""Each field of a route says where it comes from: the route, a service, the settings, or what is built in."""

from __future__ import annotations

from catalog import FieldOrigin, Problem, field_origins
from tests.support.catalog import keys


def origins(**values: str) -> list[tuple[str, object, str, int]]:
    written = {key.replace("__", "/"): value for key, value in values.items()}
    found = field_origins("a", keys(dict(written)))
    assert isinstance(found, tuple)
    return [(one.name, one.value, one.key, one.index) for one in found]


def test_each_field_names_the_nearest_that_says_it() -> None:
    assert origins(
        routes__a="a/x -> cart retries=2",
        services__cart="timeout: 2s\nretries: 1\nrequest_headers: {set: {x-a: b}}",
        settings="timeout: 30s\ntimeout_head: 500ms\nlimits: {idle_timeout: 90s}",
    ) == [
        ("host", "a", "mesh/routes/a", 100),
        ("path", "/x", "mesh/routes/a", 100),
        ("service", "cart", "mesh/routes/a", 100),
        ("timeout", "2s", "mesh/services/cart", 101),
        ("timeout_head", "500ms", "mesh/settings", 102),
        (
            "timeout_idle",
            "90s before the answer, 30s in it, 3600s in a tunnel",
            "mesh/settings",
            102,
        ),
        ("retries", 2, "mesh/routes/a", 100),
        ("limits.body_bytes", None, "", 0),
        ("request_headers.x-a", [["set", "b"]], "mesh/services/cart", 101),
    ]


def test_https_is_told_where_somebody_says_it() -> None:
    settings = "https: redirect+hsts=30d"
    assert origins(routes__a="a/ -> cart", settings=settings)[-1] == (
        "https", "redirect+hsts=30d", "mesh/settings", 101,
    )  # fmt: skip
    assert origins(routes__a="a/ -> cart https=off", settings=settings)[-1] == (
        "https", "off", "mesh/routes/a", 100,
    )  # fmt: skip


def test_what_nobody_says_is_built_in() -> None:
    assert origins(routes__a="a/ -> cart")[3:] == [
        ("timeout", None, "", 0),
        ("timeout_head", None, "", 0),
        ("timeout_idle", "60s before the answer, 30s in it, 3600s in a tunnel", "", 0),
        ("retries", "up to 3 tries, where none can do a thing twice", "", 0),
        ("limits.body_bytes", None, "", 0),
    ]


def test_limits_of_route_and_service_hold_beside_one_another() -> None:
    route = "host: a\nservice: cart\nlimits: {concurrent: 5}"
    service = "limits: {body_bytes: 10, requests_per_second: 7}"
    assert origins(routes__a=route, services__cart=service)[-3:] == [
        ("limits.body_bytes", 10, "mesh/services/cart", 101),
        ("limits", {"concurrent": 5}, "mesh/routes/a", 100),
        ("limits of cart", {"requests_per_second": 7}, "mesh/services/cart", 101),
    ]


def test_what_instances_speak_is_told_where_a_policy_says_so() -> None:
    said = origins(routes__a="a/ -> cart", services__cart="protocol: auto")
    assert said[-1] == ("protocol of cart", "auto", "mesh/services/cart", 101)
    names = [name for name, *_ in origins(routes__a="a/ -> cart", services__cart="timeout: 1s")]
    assert "protocol of cart" not in names


def test_the_mesh_limits_bodies_where_nobody_else_does() -> None:
    settings = "limits: {body_bytes: 10}"
    (found,) = origins(routes__a="a/ -> cart", settings=settings)[-1:]
    assert found == ("limits.body_bytes", 10, "mesh/settings", 101)
    route = "host: a\nservice: cart\nlimits: {body_bytes: 20}"
    (found,) = origins(routes__a=route, settings=settings)[-1:]
    assert found == ("limits.body_bytes", 20, "mesh/routes/a", 100)


def test_what_the_mesh_answers_itself_is_sent_on_by_nothing() -> None:
    found = origins(routes__a="a/ -> redirect 301 /x/", settings="timeout: 30s")
    assert [name for name, *_ in found] == ["host", "path", "redirect"]


def test_a_field_is_told_to_programs_with_its_key() -> None:
    assert FieldOrigin("timeout", "2s", "mesh/settings", 7).to_json() == {
        "field": "timeout",
        "value": "2s",
        "from": {"key": "mesh/settings", "index": 7},
    }
    assert FieldOrigin("timeout", None, "", 0).to_json()["from"] == "built in"


def test_a_route_that_is_not_there_or_bad_has_no_fields() -> None:
    assert field_origins("b", keys({"routes/a": "a/ -> cart"})) is None
    assert isinstance(field_origins("a", keys({"routes/a": "nonsense"})), Problem)
