"""Reading configuration files: precedence, aliases, refusals, origins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from breezeblock.config.backend import BACKEND_OPTIONS
from breezeblock.config.settings import ConfigurationError, load

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file and returns its path."""

    def write_file(text: str, name: str = "service.conf") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def test_without_files_there_is_one_embedded_backend_on_loopback() -> None:
    settings = load([])
    assert list(settings.backends) == ["file"]
    backend = settings.backends["file"]
    assert backend.volume_driver == "file"
    assert backend.file_volumes_directory == "/var/lib/breezeblock/file"
    assert backend.target_ip_address == "127.0.0.1"
    assert settings.conf.osapi_volume_listen == "127.0.0.1"
    assert settings.conf.auth_strategy == "http_basic"
    assert settings.conf.database.connection == "sqlite:////var/lib/breezeblock/breezeblock.db"


def test_state_path_moves_everything_that_has_no_place_of_its_own(write: Write) -> None:
    settings = load([write("[DEFAULT]\nstate_path = /srv/bb\n")])
    assert settings.conf.database.connection == "sqlite:////srv/bb/breezeblock.db"
    assert settings.conf.http_basic_auth_user_file == "/srv/bb/htpasswd"
    assert settings.backends["file"].volumes_dir == "/srv/bb/volumes"


def test_backend_values_come_from_section_then_shared_then_default(write: Write) -> None:
    settings = load(
        [
            write(
                "[DEFAULT]\n"
                "enabled_backends = one, two\n"
                "target_port = 1111\n"  # only in DEFAULT: backends do not see it
                "volume_clear_size = 7\n"
                "[backend_defaults]\n"
                "volume_clear = none\n"
                "target_prefix = iqn.2020-01.net.example:\n"
                "[one]\n"
                "volume_clear = zero\n"
                "[two]\n"
            )
        ]
    )
    one, two = settings.backends["one"], settings.backends["two"]
    assert (one.volume_clear, two.volume_clear) == ("zero", "none")
    assert one.target_prefix == two.target_prefix == "iqn.2020-01.net.example:"
    assert one.target_port == 3260
    assert one.volume_clear_size == 0


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("max_over_subscription_ratio", "auto", "auto"),
        ("filter_function", "capabilities.x > 1", "capabilities.x > 1"),
        ("goodness_function", "50", "50"),
        ("volume_copy_bps_limit", "1000", 1000),
        ("num_shell_tries", "9", 9),
    ],
)
def test_some_options_fall_back_to_default(
    write: Write, option: str, value: str, expected: object
) -> None:
    settings = load([write(f"[DEFAULT]\nenabled_backends = a\n{option} = {value}\n[a]\n")])
    assert getattr(settings.backends["a"], option) == expected


def test_old_names_are_accepted(write: Write) -> None:
    text = (
        "[DEFAULT]\nenabled_backends = a\n"
        "[a]\niscsi_secondary_ip_addresses = 10.0.0.1, 10.0.0.2\ntarget_helper = ietadm\n"
        "iet_conf = /etc/other\niscsi_iotype = blockio\nstorage_protocol = fc\n"
    )
    backend = load([write(text)]).backends["a"]
    assert backend.target_secondary_ip_addresses == ["10.0.0.1", "10.0.0.2"]
    assert backend.target_helper == "ietadm"
    assert backend.iet_conf == "/etc/other"
    assert backend.storage_protocol.lower() == "fc"
    assert backend.origin("target_secondary_ip_addresses").line == 4


def test_every_problem_is_named_with_option_value_file_and_line(write: Write) -> None:
    path = write(
        "[DEFAULT]\n"
        "enabled_backends = a\n"
        "osapi_volume_listen_port = 99999\n"
        "auth_strategy = open\n"
        "[a]\n"
        "volume_clear = shred\n"
        "max_over_subscription_ratio = 0.5\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        load([path])
    problems = "\n".join(refused.value.problems)
    assert len(refused.value.problems) == 4
    assert f"{path}:3: [DEFAULT] osapi_volume_listen_port = 99999" in problems
    assert f"{path}:4: [DEFAULT] auth_strategy = open" in problems
    assert f"{path}:6: [a] volume_clear = shred" in problems
    assert "none, zero" in problems
    assert f"{path}:7: [a] max_over_subscription_ratio = 0.5" in problems


@pytest.mark.parametrize("ratio", ["0.99", "nan", "inf", "much", "-3"])
def test_over_subscription_ratio_must_be_a_ratio(write: Write, ratio: str) -> None:
    text = f"[DEFAULT]\nenabled_backends = a\n[a]\nmax_over_subscription_ratio = {ratio}\n"
    with pytest.raises(ConfigurationError):
        load([write(text)])


def test_a_secret_never_stands_in_a_refusal(write: Write) -> None:
    text = "[DEFAULT]\nenabled_backends = a\n[a]\nreplication_device = hunter2\n"
    with pytest.raises(ConfigurationError) as refused:
        load([write(text)])
    assert "hunter2" not in str(refused.value)
    assert "replication_device" in str(refused.value)


def test_a_backend_without_a_section_is_a_mistake(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r"names 'two', but no file has a section \[two\]"):
        load([write("[DEFAULT]\nenabled_backends = one, two\n[one]\n")])


def test_a_backend_named_twice_is_a_mistake(write: Write) -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        load([write("[DEFAULT]\nenabled_backends = one, one\n[one]\n")])


def test_files_that_cannot_be_read_or_parsed_are_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.conf cannot be read"):
        load([tmp_path / "absent.conf"])
    broken = write("[DEFAULT]\nno assignment here\n")
    with pytest.raises(ConfigurationError, match=str(broken)):
        load([broken])


def test_later_files_and_directories_win(write: Write, tmp_path: Path) -> None:
    first = write("[DEFAULT]\nquota_volumes = 1\nquota_snapshots = 1\nquota_groups = 1\n")
    second = write("[DEFAULT]\nquota_snapshots = 2\nquota_groups = 2\n", "second.conf")
    directory = tmp_path / "conf.d"
    directory.mkdir()
    (directory / "10.conf").write_text("[DEFAULT]\nquota_groups = 3\n")
    conf = load([first, second], [directory]).conf
    assert (conf.quota_volumes, conf.quota_snapshots, conf.quota_groups) == (1, 2, 3)


def test_two_settings_do_not_know_of_each_other(write: Write) -> None:
    one = load([write("[DEFAULT]\nhost = one\n")])
    two = load([write("[DEFAULT]\nhost = two\n", "two.conf")])
    assert (one.host, two.host) == ("one", "two")


def test_service_host_can_be_set_for_one_backend(write: Write) -> None:
    text = "[DEFAULT]\nhost = h\nenabled_backends = a, b\n[a]\nbackend_host = other\n[b]\n"
    settings = load([write(text)])
    assert settings.service_host("a") == "other@a"
    assert settings.service_host("b") == "h@b"


def test_every_backend_option_is_an_attribute_and_nothing_else_is() -> None:
    backend = load([]).backends["file"]
    for option in BACKEND_OPTIONS:
        getattr(backend, option.dest)
    with pytest.raises(AttributeError, match="no option volume_claer"):
        _ = backend.volume_claer


def test_what_no_option_is_called_is_reported(write: Write) -> None:
    text = (
        "[DEFAULT]\nquota_volumes = 3\nqouta_snapshots = 3\ndebug = true\n"
        "[database]\nmax_pool_sise = 1\n[somebody_else]\nx = 1\n"
    )
    unrecognised = load([write(text)]).unrecognised()
    assert [(found.option, found.line) for found in unrecognised] == [
        ("qouta_snapshots", 3),
        ("max_pool_sise", 6),
    ]


def test_unknown_section_names_of_libraries_do_no_harm(write: Write) -> None:
    load([write("[keystone_authtoken]\nauth_url = x\n[oslo_policy]\npolicy_file = p\n")])
