import pytest

from catalog.errors import ConsulDenied, as_policy
from catalog.policy import least_policy
from catalog.rights import missing_right, policy_line


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("'key:read' on \"mesh/routes/a\"", 'key_prefix "mesh/" read'),
        ("'key:read' on \"meshnode/ca/roots\"", 'key_prefix "meshnode/" read'),
        ("'key:read' on \"other/key\"", 'key "other/key" read'),
        ("'key:write' on \"mesh/routes/a\"", 'key_prefix "mesh/" write'),
        ("'key:write' on \"meshnode/status/node-1\"", 'key "meshnode/status/node-1" write'),
        (
            "'key:write' on \"meshnode/ca/requests/node-1/web\"",
            'key_prefix "meshnode/ca/requests/node-1/" write',
        ),
        ("'key:write' on \"meshnode/ca/signer\"", 'key_prefix "meshnode/ca/" write'),
        ("'key:write' on \"meshnode/history/7\"", 'key_prefix "meshnode/history/" write'),
        ("'session:write' on \"node-1\"", 'session "node-1" write'),
        ("'session:read' on \"node-1\"", 'session_prefix "" read'),
        ("'service:write' on \"meshnode\"", 'service "meshnode" write'),
        (
            "'service:read' on \"web\"",
            'service_prefix "" { policy = "read", intentions = "read" }',
        ),
        ("'node:read' on \"node-2\"", 'node_prefix "" read'),
        ("'agent:read' on \"node-1\"", 'agent "node-1" read'),
        ("'operator:read'", 'operator = "read"'),
    ],
)
def test_a_refusal_names_the_line_of_the_least_policy(body: str, line: str) -> None:
    said = f"rpc error making call: Permission denied: token with AccessorID 'x' lacks permission {body}"
    assert missing_right(said) == line


def test_words_without_a_permission_name_no_line() -> None:
    assert missing_right("ACL not found") == ""


def test_an_unknown_token_is_told_from_a_missing_right() -> None:
    assert "does not know the token" in str(ConsulDenied("", "rpc error: ACL not found"))
    said = str(ConsulDenied('key_prefix "mesh/" read'))
    assert 'key_prefix "mesh/" { policy = "read" }' in said


def test_a_policy_line_is_shown_as_consul_takes_it() -> None:
    assert as_policy('session "n" write') == 'session "n" { policy = "write" }'
    assert as_policy('operator = "read"') == 'operator = "read"'
    intentions = policy_line("intention", "web", "write")
    assert as_policy(intentions) == 'service "web" { policy = "read", intentions = "write" }'


def test_the_least_policy_gives_only_the_services_that_run_here() -> None:
    rules = least_policy("node-1", ["web"], has_edge=True)
    assert 'service "web" { policy = "write"' in rules
    assert 'service "edge" { policy = "write"' in rules
    assert 'service_prefix "" { policy = "write"' not in rules
    assert "meshnode/history" not in rules
    assert "meshnode/history" in least_policy("node-1", [], is_signer=True)
