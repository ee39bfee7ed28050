"""Programs say their versions in many ways."""

import pytest

from benchmarks.machine import number


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("nginx version: nginx/1.22.1", "1.22.1"),
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12-1+deb12u4"),
        ("Consul v1.22.0", "1.22.0"),
        ("", "unknown"),
    ],
)
def test_the_version_is_the_first_number(said: str, version: str) -> None:
    assert number(said) == version
