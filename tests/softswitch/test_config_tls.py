"""The section of TLS: what is wrong with it is told with its key before anything listens."""

from pathlib import Path

import pytest

from softswitch.config import ConfigErrors, load
from tests.support.certificates import Authority

START = """\
[sip]
listen = ["udp:127.0.0.1:5060", "tls:127.0.0.1:5061"]
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def faults(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "centre.toml"
    file.write_text(text)
    try:
        load(file)
    except ConfigErrors as errors:
        return {problem.path: problem.message for problem in errors.problems}
    return {}


def test_a_complete_section(tmp_path: Path, authority: Authority) -> None:
    authority.sign("ours", "pbx.example", days=30)
    text = START + (
        '[tls]\ncertificate = "ours.pem"\nkey = "ours.key"\nca = "test-authority.pem"\n'
        'min_version = "1.3"\nclient_certificates = "optional"\n'
    )
    assert faults(tmp_path, text) == {}
    config = load(tmp_path / "centre.toml")
    own = config.tls.own()
    assert own is not None and own.names == ("pbx.example",)
    assert config.tls.settings().clients == "optional"


def test_a_certificate_that_has_run_out_does_not_stop_a_start(tmp_path: Path, authority: Authority) -> None:
    authority.sign("ours", "pbx.example", days=-2)
    assert faults(tmp_path, START + '[tls]\ncertificate = "ours.pem"\nkey = "ours.key"\n') == {}


def test_what_is_wrong_is_told(tmp_path: Path, authority: Authority) -> None:
    authority.sign("ours", "pbx.example")
    authority.sign("other", "pbx.example")
    assert "tls.certificate" in faults(tmp_path, START)["sip.listen.1"]
    assert "tls.certificate" in faults(tmp_path, '[sip]\nlisten = ["wss:127.0.0.1:8089"]')["sip.listen.0"]
    for section, key, message in (
        ('certificate = "none.pem"', "tls.certificate", "cannot be read"),
        ('certificate = "ours.pem"\nkey = "other.key"', "tls.certificate", "does not belong"),
        ('certificate = "ours.pem"\nkey = "ours.key"\nca = "ours.key"', "tls.ca", "holds no certificate"),
        ('key = "ours.key"', "tls.key", "of no certificate"),
        (
            'certificate = "ours.pem"\nkey = "ours.key"\nclient_certificates = "required"',
            "tls.client_certificates",
            "anybody's certificate",
        ),
        ('min_version = "1.0"', "tls.min_version", "1.2"),
        ('certificate = ""', "tls.certificate", "path"),
    ):
        found = faults(tmp_path, START + "[tls]\n" + section + "\n")
        assert message in found[key], (section, found)


@pytest.mark.parametrize("target", ["sips:pbx.example", "sip:pbx.example;transport=tls"])
def test_who_is_reached_over_tls_needs_a_listener(tmp_path: Path, target: str) -> None:
    peer = f'[peers.far]\naddress = "192.0.2.1"\ntarget = "{target}"\n'
    phone = f'[extensions.201]\ncontact = "{target}"\n'
    found = faults(tmp_path, peer + phone)
    assert found.keys() == {"peers.far.target", "extensions.201.contact"}
    assert all("add tls:" in message for message in found.values())
    assert (
        faults(tmp_path, 'language = "en"\n[peers.far]\naddress = "192.0.2.1"\ntarget = "sip:192.0.2.1"\n')
        == {}
    )
