"""The standard OTEL_* settings, as the specification reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from observability import OtlpSettingError, OtlpSettings

BASE = "OTEL_EXPORTER_OTLP_"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_"


def read(**environment: str) -> OtlpSettings:
    """Names without their common beginning: `ENDPOINT`, `TRACES_ENDPOINT`."""
    return OtlpSettings.from_environment({BASE + name: v for name, v in environment.items()})


def test_nothing_set_is_the_specification_s_default() -> None:
    settings = OtlpSettings.from_environment({})
    assert settings == OtlpSettings()
    assert settings.endpoint == "http://localhost:4318/v1/traces"
    assert (settings.protocol, settings.timeout_s) == ("http/protobuf", 10.0)
    assert not settings.is_endpoint_given


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/traces"),
        ({"ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({"ENDPOINT": "https://x/otlp"}, "https://x/otlp/v1/traces"),
        ({"ENDPOINT": "https://x/otlp/"}, "https://x/otlp/v1/traces"),
        ({"ENDPOINT": "http://[::1]:4318"}, "http://[::1]:4318/v1/traces"),
        ({"TRACES_ENDPOINT": "http://x:1/own/path"}, "http://x:1/own/path"),
        ({"TRACES_ENDPOINT": "http://x:1/own/"}, "http://x:1/own/"),
        ({"TRACES_ENDPOINT": "http://x:1"}, "http://x:1/"),
        ({"TRACES_ENDPOINT": "http://x:1", "ENDPOINT": "http://y:2"}, "http://x:1/"),
        ({"TRACES_ENDPOINT": " ", "ENDPOINT": "http://y:2"}, "http://y:2/v1/traces"),
    ],
)
def test_http_endpoints(given: dict[str, str], url: str) -> None:
    settings = read(**given)
    assert settings.endpoint == url
    assert settings.is_endpoint_given
    assert settings.is_secure == url.startswith("https")


@pytest.mark.parametrize(
    ("given", "target", "is_secure"),
    [
        ({}, "localhost:4317", False),
        ({"ENDPOINT": "http://x:1"}, "x:1", False),
        ({"ENDPOINT": "https://x:1"}, "x:1", True),
        ({"ENDPOINT": "https://x"}, "x:443", True),
        ({"ENDPOINT": "x:1"}, "x:1", True),
        ({"ENDPOINT": "x:1", "INSECURE": "true"}, "x:1", False),
        ({"ENDPOINT": "x:1", "INSECURE": "True"}, "x:1", False),
        ({"ENDPOINT": "x:1", "INSECURE": "1"}, "x:1", True),
        ({"ENDPOINT": "https://x:1", "INSECURE": "true"}, "x:1", True),
        ({"ENDPOINT": "x:1", "INSECURE": "false", "TRACES_INSECURE": "true"}, "x:1", False),
        ({"ENDPOINT": "http://[::1]:1"}, "[::1]:1", False),
        ({"TRACES_ENDPOINT": "http://y:2/path", "ENDPOINT": "http://x:1"}, "y:2", False),
    ],
)
def test_grpc_endpoints(given: dict[str, str], target: str, *, is_secure: bool) -> None:
    settings = read(PROTOCOL="grpc", **given)
    assert (settings.endpoint, settings.is_secure) == (target, is_secure)


def test_the_setting_for_traces_comes_before_the_one_for_all() -> None:
    settings = read(
        PROTOCOL="grpc",
        TRACES_PROTOCOL="http/protobuf",
        HEADERS="a=1",
        TRACES_HEADERS="b=2",
        COMPRESSION="gzip",
        TRACES_COMPRESSION="none",
        TIMEOUT="1",
        TRACES_TIMEOUT="2500",
        CERTIFICATE="/a",
        TRACES_CERTIFICATE="/b",
    )
    assert settings.protocol == "http/protobuf"
    assert settings.headers == (("b", "2"),)
    assert settings.compression == "none"
    assert settings.timeout_s == 2.5
    assert settings.certificate == Path("/b")


def test_headers_are_a_baggage_list() -> None:
    settings = read(HEADERS=" Api-Key = s%20e%2Cc , x=a=b ,, ")
    assert settings.headers == (("api-key", "s e,c"), ("x", "a=b"))


def test_headers_are_in_no_repr() -> None:
    assert "secret" not in repr(read(HEADERS="api-key=secret"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"PROTOCOL": "http/json"}, "PROTOCOL.*http/protobuf or grpc"),
        ({"ENDPOINT": "collector:4318"}, "begins with http://"),
        ({"ENDPOINT": "http://"}, "ENDPOINT"),
        ({"ENDPOINT": "ftp://x:1", "PROTOCOL": "grpc"}, "neither host:port nor"),
        ({"ENDPOINT": "x:99999", "PROTOCOL": "grpc"}, "neither host:port nor"),
        ({"COMPRESSION": "zstd"}, "COMPRESSION.*gzip or none"),
        ({"TIMEOUT": "10s"}, "TIMEOUT.*milliseconds"),
        ({"TIMEOUT": "0"}, "TIMEOUT.*milliseconds"),
        ({"HEADERS": "novalue"}, "HEADERS"),
        ({"HEADERS": "a=b%0d%0aInjected: x"}, "HEADERS"),
        ({"HEADERS": "=x"}, "HEADERS"),
        ({"CLIENT_KEY": "/k"}, "CLIENT_CERTIFICATE.*together"),
        ({"CLIENT_CERTIFICATE": "/c"}, "CLIENT_KEY.*together"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(OtlpSettingError, match=sentence):
        read(**given)


def test_a_wrong_header_is_not_shown() -> None:
    with pytest.raises(OtlpSettingError) as caught:
        read(HEADERS="secret-without-equals")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "is_enabled"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_SDK_DISABLED": "1"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": ""}, True),
    ],
)
def test_all_can_be_turned_off(environment: dict[str, str], *, is_enabled: bool) -> None:
    assert OtlpSettings.from_environment(environment).is_enabled == is_enabled


def test_another_exporter_is_named() -> None:
    with pytest.raises(OtlpSettingError, match=r"OTEL_TRACES_EXPORTER.*zipkin"):
        OtlpSettings.from_environment({"OTEL_TRACES_EXPORTER": "zipkin"})
