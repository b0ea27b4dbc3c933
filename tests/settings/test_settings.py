"""Settings: read once, every fault reported together with the variable's name."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from fairwire_server.settings import Settings, SettingsError, describe, help_text, load, markdown_table


def faults(environ: dict[str, str]) -> dict[str, str]:
    with pytest.raises(SettingsError) as raised:
        load(environ)
    return {fault.variable: fault.problem for fault in raised.value.faults}


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load({"HOME": "/nowhere", "FAIRWIRE_HOST": "", "FAIRWIRE_PORT": "  "})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8080, Path("data"))
    assert settings.access_token_s <= 900  # W13


def test_every_kind_of_value_is_read() -> None:
    settings = load(
        {
            "FAIRWIRE_PORT": "0",
            "FAIRWIRE_DATA_DIR": "/var/lib/fairwire",
            "FAIRWIRE_BEAT_INTERVAL_S": "0.5",
            "FAIRWIRE_BEAT_ANSWER_S": "0.2",
            "FAIRWIRE_DEMO": "Yes",
            "FAIRWIRE_SMTP_STARTTLS": "off",
            "FAIRWIRE_IMAGE_MAX_BYTES": "2 MiB",
            "FAIRWIRE_IMAGE_MAX_PIXELS": "1_000_000",
            "FAIRWIRE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "FAIRWIRE_ALLOWED_ORIGINS": "https://fair.example,http://localhost:5173",
            "FAIRWIRE_LOG_FORMAT": "json",
        }
    )
    assert settings.port == 0
    assert settings.data_dir == Path("/var/lib/fairwire")
    assert settings.beat_interval_s == 0.5
    assert settings.demo is True
    assert settings.smtp_starttls is False
    assert settings.image_max_bytes == 2 * 1024 * 1024
    assert settings.image_max_pixels == 1_000_000
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.allowed_origins == ("https://fair.example", "http://localhost:5173")
    assert settings.log_format == "json"


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        load({}).port = 1  # type: ignore[misc]


def test_all_faults_come_together_each_with_its_variable() -> None:
    found = faults(
        {
            "FAIRWIRE_PORT": "70000",
            "FAIRWIRE_ADMIN_PORT": "many",
            "FAIRWIRE_DEMO": "maybe",
            "FAIRWIRE_LOG_LEVEL": "loud",
            "FAIRWIRE_DATABASE_URL": "mysql://x",
            "FAIRWIRE_SECRET": "short",
            "FAIRWIRE_TRUSTED_PROXIES": "10.0.0.0/8,10.0.0.1/8",
            "FAIRWIRE_ALLOWED_ORIGINS": "*",
            "FAIRWIRE_PUBLIC_URL": "https://fair.example/path",
            "FAIRWIRE_POOL_MIN": "30",
            "FAIRWIRE_SMTP_HOST": "mail.example",
            "FAIRWIRE_ACCESS_TOKEN_S": "901",
        }
    )
    assert set(found) == {
        "FAIRWIRE_PORT",
        "FAIRWIRE_ADMIN_PORT",
        "FAIRWIRE_DEMO",
        "FAIRWIRE_LOG_LEVEL",
        "FAIRWIRE_DATABASE_URL",
        "FAIRWIRE_SECRET",
        "FAIRWIRE_TRUSTED_PROXIES",
        "FAIRWIRE_ALLOWED_ORIGINS",
        "FAIRWIRE_PUBLIC_URL",
        "FAIRWIRE_POOL_MIN",
        "FAIRWIRE_SMTP_FROM",
        "FAIRWIRE_ACCESS_TOKEN_S",
    }
    assert "10.0.0.1/8" in found["FAIRWIRE_TRUSTED_PROXIES"]


def test_an_unknown_variable_is_a_fault_with_a_suggestion() -> None:
    found = faults({"FAIRWIRE_PROT": "1", "FAIRWIRE_port": "1", "FAIRWIRE_XYZZY": "1"})
    assert "FAIRWIRE_PORT" in found["FAIRWIRE_PROT"]
    assert "FAIRWIRE_PORT" in found["FAIRWIRE_port"]
    assert "did you mean" not in found["FAIRWIRE_XYZZY"]


def test_a_secret_is_never_part_of_an_error() -> None:
    assert "tiny-secret" not in str(faults({"FAIRWIRE_SECRET": "tiny-secret"}))
    assert "hunter2" not in str(faults({"FAIRWIRE_DATABASE_URL": "mysql://root:hunter2@db/x"}))


def test_every_setting_is_documented_in_table_and_help() -> None:
    names = {f"FAIRWIRE_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    assert {row.variable for row in describe()} == names
    assert all(row.text.endswith(".") for row in describe())
    table, text = markdown_table(), help_text()
    assert all(f"`{name}`" in table and f"{name}=" in text for name in names)


def test_every_default_passes_its_own_check() -> None:
    assert load({row.variable: row.default for row in describe()}) == Settings()


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e999", "x"])
def test_a_time_is_a_finite_number_within_its_bounds(text: str) -> None:
    assert "FAIRWIRE_DRAIN_S" in faults({"FAIRWIRE_DRAIN_S": text})
