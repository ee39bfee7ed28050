"""Settings: where they come from, which source wins, and that a mistake says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.config import TABLE, Given, Settings, examine_settings, read_settings
from meshnode.errors import SettingsError


def read(
    text: str = "", *, path: Path, flags: dict[str, object] | None = None, **environment: str
) -> Settings:
    path.write_text(text)
    return read_settings(Given(flags or {}, environment, path))


def refusal(text: str, path: Path, **environment: str) -> str:
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read_settings(Given({}, environment, path))
    return str(raised.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meshnode.toml"


def test_every_default_is_a_value_of_its_kind(path: Path) -> None:
    settings = read(path=path)
    assert settings.consul_address == "127.0.0.1:8500"
    assert settings.edge_address == "0.0.0.0:8080"
    assert settings.outbound_ports == (15000, 15999)
    assert settings.intentions_default is None
    assert settings.certificates_leaf_ttl_s == 86400.0
    assert settings.proxy_binary is None


def test_names_fields_variables_and_flags_are_unique() -> None:
    for names in (
        [line.name for line in TABLE],
        [line.field for line in TABLE],
        [variable for line in TABLE for variable in line.variables],
        [flag for line in TABLE for flag in (line.flag, line.short_flag) if flag],
    ):
        assert len(names) == len(set(names))
    assert all(line.sentence.endswith(".") for line in TABLE)


def test_a_wrong_word_is_shown_once(path: Path) -> None:
    said = refusal("", path, MESHNODE_EDGE_ADDRESS="127.0.0.1:banana")
    assert said.count("banana") == 1


def test_flag_wins_over_variable_over_file(path: Path) -> None:
    text = '[admin]\naddress = "127.0.0.1:1"\n[mesh]\naddress = "127.0.0.1:1"\n[edge]\naddress = "127.0.0.1:1"\n'
    settings = read(
        text,
        path=path,
        flags={"admin_address": "127.0.0.1:3", "mesh_address": None},
        MESHNODE_ADMIN_ADDRESS="127.0.0.1:2",
        MESHNODE_MESH_ADDRESS="127.0.0.1:2",
    )
    assert settings.admin_address == "127.0.0.1:3"
    assert settings.mesh_address == "127.0.0.1:2"
    assert settings.edge_address == "127.0.0.1:1"


def test_consul_is_found_where_its_own_command_finds_it(path: Path) -> None:
    settings = read(path=path, CONSUL_HTTP_ADDR="https://consul:8501", CONSUL_HTTP_TOKEN="secret")
    assert settings.consul_address == "https://consul:8501"
    assert settings.consul_token == "secret"
    assert (
        read(path=path, CONSUL_HTTP_ADDR="a:1", MESHNODE_CONSUL_ADDRESS="b:2").consul_address
        == "b:2"
    )


def test_state_folder_is_the_machines_for_root_and_the_users_else(path: Path) -> None:
    path.write_text("")
    assert read_settings(Given({}, {}, path, is_root=True)).state_folder == Path(
        "/var/lib/meshnode"
    )
    own = read_settings(Given({}, {"HOME": "/home/ann"}, path))
    assert own.state_folder == Path("/home/ann/.local/state/meshnode")
    assert own.run_folder == own.state_folder / "run"
    xdg = read_settings(Given({}, {"HOME": "/home/ann", "XDG_STATE_HOME": "/x"}, path))
    assert xdg.state_folder == Path("/x/meshnode")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('[consul]\nadress = "x:1"\n', "2:1", 'no setting is called "consul.adress"; did you mean "consul.address"?'),
        ('\n\ncaller = "user"\n', "3:1", 'did you mean "callers"?'),
        ('callers = "uid"\n', "1:11", 'it is one of user, port, not "uid"'),
        ('[edge]\n# c\naddress = "0.0.0.0:99999"\n', "3:11", "a port is a number from 1 to 65535"),
        ("edge = { address = 'localhost:80' }\n", "1:20", "numeric address"),
        ('  outbound.host =   "0.0.0.0"\n', "1:21", "loopback"),
        ('[outbound]\nports = "15999-15000"\n', "2:9", "first port is above its last"),
        ("[certificates]\nleaf_ttl = 24\n", "2:12", "a time with its unit"),
        ('[certificates]\nroot_pin = "sha256:ab"\n', "2:12", "64 hex digits"),
        ("[trace]\nratio = 1.5\n", "2:9", "a share from 0 to 1"),
        ("[proxy]\nthreads = true\n", "2:11", "a whole number"),
        ('[mesh]\nadvertise = "node-1:7443"\n', "2:13", "such as 203.0.113.5 or 203.0.113.5:17443"),
        ('[mesh]\nadvertise = "0.0.0.0:7443"\n', "2:13", "nobody can dial it"),
        ('[edge]\ntrusted_proxies = ["10.0.0.1/8"]\n', "2:19", "a list of networks"),
        ('[certificates]\nexcluded_services = ["a b"]\n', "2:21", "a list of service names"),
        ('[consul]\naddress = "ftp://x"\n', "2:11", "http:// or https://"),
        ("[edge]\naddress = = 1\n", "2:11", "this is not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_says_line_and_column(
    path: Path, text: str, place: str, words: str
) -> None:
    sentence = refusal(text, path)
    assert sentence.startswith(f"{path}:{place}: ")
    assert words in sentence


def test_every_mistake_is_found_in_one_go(path: Path) -> None:
    path.write_text('caller = "user"\n[edge]\naddress = "x"\n[trace]\nratio = 2\n')
    given = Given({"log_level": "loud"}, {"MESHNODE_CALLERS": "nobody", "MESHNODE_EGDE": "1"}, path)
    examined = examine_settings(given)
    assert examined.settings is None
    assert [str(one.place) for one in examined.mistakes] == [
        f"{path}:1:1", "MESHNODE_EGDE", f"{path}:3:11", "MESHNODE_CALLERS", f"{path}:5:9", "--log-level",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="and 5 more: `meshnode config check` names them"):
        read_settings(given)


def test_every_value_says_where_it_comes_from(path: Path) -> None:
    path.write_text('[edge]\naddress = "off"\n')
    examined = examine_settings(
        Given({"callers": "port"}, {"CONSUL_HTTP_ADDR": "10.0.0.1:8500"}, path)
    )
    names = ("edge.address", "callers", "consul.address", "log.level")
    assert [str(examined.place(name)) for name in names] == [
        f"{path}:2:11", "--callers", "CONSUL_HTTP_ADDR", "default",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("203.0.113.5", ("203.0.113.5", None)),
        ("203.0.113.5:17443", ("203.0.113.5", 17443)),
        ("2001:db8::1", ("2001:db8::1", None)),
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("", None),
    ],
)
def test_an_advertised_address_may_have_a_port(path: Path, word: str, value: object) -> None:
    assert read(path=path, MESHNODE_MESH_ADVERTISE=word).mesh_advertise == value


def test_a_missing_file_is_an_error_only_when_it_was_named(tmp_path: Path) -> None:
    read_settings(Given({}, {}))
    with pytest.raises(SettingsError, match="there is no such settings file"):
        read_settings(Given({}, {"MESHNODE_CONFIG": str(tmp_path / "none")}))


def test_a_mistake_in_a_variable_names_it(path: Path) -> None:
    assert refusal("", path, MESHNODE_CALLERS="nobody").startswith("MESHNODE_CALLERS: callers: ")
    assert "did you mean" in refusal("", path, MESHNODE_EDGE_ADDRES="0.0.0.0:1")


def test_a_secret_is_not_repeated(path: Path) -> None:
    assert "s3cret" not in refusal("[consul]\ntoken = 17\n#s3cret", path)


def test_words_for_none(path: Path) -> None:
    settings = read('edge.address = "off"\nintentions.default = "deny"\n', path=path)
    assert settings.edge_address is None
    assert settings.intentions_default == "deny"


def test_ipv6_and_bare_ports(path: Path) -> None:
    settings = read('edge.address = "[::]:80"\nmesh.address = ":7443"\n', path=path)
    assert settings.edge_address == "[::]:80"
    assert settings.mesh_address == "0.0.0.0:7443"
