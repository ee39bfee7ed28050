"""Consul's filter expressions: what they keep, and what is said of those that cannot be used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.embedded.filter import Filter, FilterError
from catalog.embedded.filter_fields import CHECK, HEALTH, SERVICE, SERVICE_NODE

CHECK_ITEM = {
    "Node": "node-1",
    "CheckID": "service:web-1",
    "Name": "Service 'web' check",
    "Status": "critical",
    "ServiceID": "web-1",
    "ServiceTags": ["a", "b"],
    "ExposedPort": 0,
}
SERVICE_ITEM = {
    "ID": "web-1",
    "Service": "web",
    "Tags": ["a"],
    "Meta": {"k": "v", "two words": "x"},
    "Port": 80,
    "Weights": {"Passing": 5, "Warning": 1},
    "TaggedAddresses": {"lan_ipv4": {"Address": "10.0.0.1", "Port": 81}},
    "EnableTagOverride": True,
}


@pytest.mark.parametrize(
    ("expression", "is_kept"),
    [
        ("", True),
        ('Status != "passing"', True),
        ("Status!=passing", True),
        ("Status == passing", False),
        ("Status == `critical`", True),
        ('not Status == "critical"', False),
        ('not not Status == "critical"', True),
        ('Status == "passing" or Node == "node-1"', True),
        ('Status == "passing" or Node == "node-2"', False),
        ('Status == "critical" and not (Node == "x" or Node == "y")', True),
        (' ( Status == "critical" and Node == "node-1" ) ', True),
        ('"a" in ServiceTags', True),
        ("c in ServiceTags", False),
        ("c not in ServiceTags", True),
        ("ServiceTags contains b", True),
        ("ServiceTags not contains b", False),
        ("ServiceTags is empty", False),
        ("ServiceTags is not empty", True),
        ('"ritic" in Status', True),
        ('Name matches "^Service \'w"', True),
        ('Name not matches "^Service"', False),
        ("ExposedPort == 0", True),
        ('ExposedPort != "0x10"', True),
        ('Output == ""', True),
        ('Name == "Service \\x27web\\u0027 check"', True),
    ],
)
def test_what_is_kept_of_checks(expression: str, is_kept: bool) -> None:  # noqa: FBT001
    assert Filter.of(expression, CHECK).keeps(CHECK_ITEM) is is_kept


@pytest.mark.parametrize(
    ("expression", "is_kept"),
    [
        ('Meta.k == "v"', True),
        ('Meta["two words"] == x', True),
        ('Meta.none == "v"', False),
        ('Meta.none != "v"', True),
        ("k in Meta", True),
        ("Meta is not empty", True),
        ("Weights.Passing == 5", True),
        ("EnableTagOverride == true", True),
        ("EnableTagOverride == F", False),
        ("TaggedAddresses.lan_ipv4.Port == 81", True),
        ("TaggedAddresses.wan.Port == 81", False),
        ("TaggedAddresses.wan.Port != 81", True),
        ('Proxy.Mode == ""', True),
    ],
)
def test_what_is_kept_of_services(expression: str, is_kept: bool) -> None:  # noqa: FBT001
    assert Filter.of(expression, SERVICE).keeps(SERVICE_ITEM) is is_kept


def test_a_list_of_objects_is_kept_for_any_of_them() -> None:
    item: dict[str, Any] = {"Service": SERVICE_ITEM, "Checks": [{"Status": "passing"}, CHECK_ITEM]}
    assert Filter.of("Checks.Status == critical", HEALTH).keeps(item)
    assert not Filter.of("not Checks.Status == critical", HEALTH).keeps(item)
    assert Filter.of("Checks is empty", HEALTH).keeps({"Service": SERVICE_ITEM, "Checks": []})
    assert Filter.of("Service.Port == 80 and Node.Meta.a != b", HEALTH).keeps(item)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("Foo == 1", 'Selector "Foo" is not valid'),
        ("Meta.a.b == 1", 'Selector "Meta" is not valid'),
        ('Status["x"] == 1', 'Selector "Status.x" is not valid'),
        ("Status is empty", 'Invalid match operator "Is Empty" for selector "Status"'),
        ("ServiceTags == a", 'Invalid match operator "Equal" for selector "ServiceTags"'),
        ('ExposedPort matches "a"', 'Invalid match operator "Matches" for selector "ExposedPort"'),
        (
            "ExposedPort == a",
            'Failed to coerce value "a" for selector "ExposedPort": strconv.ParseInt:',
        ),
        ('Name matches "("', 'Failed to compile regular expression "("'),
        ('(Status == "passing"', "1:21 (20)"),
        ('Status == "pass', 'rule "string": Unterminated string literal'),
        ("Status == 'passing'", "1:11 (10)"),
        ("Status", "1:7 (6)"),
        ("Status == ", "1:11 (10)"),
        (" ", "1:2 (1)"),
        ("Status == 1 Node == 2", "no match found"),
        ("(" * 5000, "levels"),
        ("not " * 5000, "levels"),
    ],
)
def test_a_wrong_expression_is_told_in_consuls_words(expression: str, words: str) -> None:
    with pytest.raises(FilterError) as refusal:
        Filter.of(expression, CHECK)
    assert str(refusal.value).startswith("Failed to create boolean expression evaluator: ")
    assert words in str(refusal.value)


@given(st.text(alphabet=' ()"`[].ab1-=!notiemptyorand', max_size=40))
def test_any_text_is_a_filter_or_refused(expression: str) -> None:
    try:
        found = Filter.of(expression, SERVICE_NODE)
    except FilterError:
        return
    assert found.keeps({}) in (True, False)
