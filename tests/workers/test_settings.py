"""Settings: every variable is checked, and a wrong one is named."""

import pytest

from workers.settings import SettingsError, load_settings


def test_there_is_a_default_for_everything() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.partitions) == ("127.0.0.1", 8080, 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_PORT", "eighty"),
        ("PARLEY_PORT", "70000"),
        ("PARLEY_PUBLIC_URL", "sms.example.com"),
        ("PARLEY_PUBLIC_URL", "ftp://sms.example.com"),
        ("PARLEY_PUBLIC_URL", "https://sms.example.com/?x=1"),
        ("PARLEY_ADMIN_KEY", "short"),
        ("PARLEY_MASTER_KEY", "nonsense"),
        ("PARLEY_MASTER_KEY", "00" * 31),
        ("PARLEY_TIMEZONE", "Mars/Olympus"),
        ("PARLEY_TIMEZONE", "../etc/passwd"),
        ("PARLEY_PARTITIONS", "0"),
        ("PARLEY_SEND_THREADS", "-1"),
        ("PARLEY_AGENT_GRACE_SECONDS", "1"),
        ("PARLEY_INGRESS_DAYS", "0"),
        ("PARLEY_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name}: "):
        load_settings()


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PORT", "eighty")
    monkeypatch.setenv("PARLEY_PARTITIONS", "many")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "PARLEY_PORT",
        "PARLEY_PARTITIONS",
    ]


@pytest.mark.parametrize("name", ["PARLEY_ADMIN_KEY", "PARLEY_MASTER_KEY"])
def test_a_secret_is_not_quoted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "too-short-a-secret")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "too-short-a-secret" not in str(caught.value)


def test_an_unknown_name_is_refused_and_the_known_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PROT", "8080")
    with pytest.raises(SettingsError, match=r"^PARLEY_PROT: .*PARLEY_PORT"):
        load_settings()


def test_a_public_url_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PUBLIC_URL", "https://sms.example.com/")
    assert load_settings().public_url == "https://sms.example.com"
