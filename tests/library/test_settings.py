from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mouthpiece.errors import BadInput
from mouthpiece.settings import CommonSettings, GatewaySettings, LipSyncSettings, MergerSettings, TtsSettings

ALL = [CommonSettings, GatewaySettings, LipSyncSettings, MergerSettings, TtsSettings]


def test_everything_has_a_default_that_stays_on_this_machine() -> None:
    assert CommonSettings.read().host == "127.0.0.1"
    assert GatewaySettings.read().port == 50051


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mouthpiece.toml"
    file.write_text('data = "here"\n[gateway]\nport = 1234\nmax_jobs = 5\n')
    monkeypatch.setenv("MOUTHPIECE_CONFIG", str(file))
    monkeypatch.setenv("MOUTHPIECE_GATEWAY_PORT", "4321")
    assert CommonSettings.read().data == Path("here")
    assert GatewaySettings.read().port == 4321
    assert GatewaySettings.read().max_jobs == 5


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUTHPIECE_LIPSYNC_SLOTS", "many")
    with pytest.raises(BadInput, match="MOUTHPIECE_LIPSYNC_SLOTS"):
        LipSyncSettings.read()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        CommonSettings.read().host = "0.0.0.0"


@pytest.mark.parametrize("settings", ALL)
def test_every_setting_is_described(settings: type[CommonSettings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, name
