"""The gateway file: every error at once, each with its line and its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import ConfigErrors, load_gateway
from edge.drivers.modbus_tcp.config import ModbusTcpSettings
from edge.form import Form, read_form

SOUND = """\
gateway: GW-OLD
name: {zh: 老区网关, en: Old park gateway}
outbox: {max_mb: 512, when_full: drop_oldest, retain_hours: 24}
devices:
  - id: PLC-OLD-01
    driver: modbus_tcp
    host: 127.0.0.1
    port: 15021
    unit: 1
    every: 5s
    timeout: 500ms
    signals:
      - {point: MH-012.level, table: holding, address: 0, type: float32, order: ABCD, scale: 1.0}
      - {point: MH-012.pump, table: coil, address: 3}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def errors(folder: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigErrors) as caught:
        load_gateway(write(folder, text))
    return [(error.line, str(error)) for error in caught.value.errors]


def test_a_sound_file_gives_periods_in_seconds_and_ports_with_their_offset(tmp_path: Path) -> None:
    gateway = load_gateway(write(tmp_path, SOUND), port_offset=100)
    (device,) = gateway.devices
    settings = device.settings
    assert isinstance(settings, ModbusTcpSettings)
    assert (gateway.id, gateway.name.zh, gateway.name.en) == (
        "GW-OLD",
        "老区网关",
        "Old park gateway",
    )
    assert (device.every_s, device.timeout_s, settings.port) == (5.0, 0.5, 15121)
    assert gateway.points == ("MH-012.level", "MH-012.pump")
    assert settings.signals[1].type == "bool"
    assert gateway.hash.startswith("sha256:")


def test_two_minutes_and_a_day_are_durations_too(tmp_path: Path) -> None:
    for text, seconds in (("2m", 120.0), ("1h", 3600.0), ("250ms", 0.25), ("1.5s", 1.5)):
        gateway = load_gateway(write(tmp_path, SOUND.replace("every: 5s", f"every: {text}")))
        assert gateway.devices[0].every_s == seconds


def test_all_errors_of_a_file_come_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (
        SOUND.replace("max_mb: 512", "max_mb: lots")
        .replace("port: 15021", "port: 99999")
        .replace("every: 5s", "every: 5 parsecs")
        .replace("type: float32", "type: flaot32")
        .replace("table: coil, address: 3", "table: coil, address: -1")
    )
    found = errors(tmp_path, text)
    assert [line for line, _ in found] == [3, 8, 10, 13, 14]
    text_13 = found[3][1]
    assert "devices[0].signals[0].type" in text_13
    assert "Did you mean float32?" in text_13
    assert "'flaot32'" in text_13


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("driver: modbus_tcp", "driver: modbus", 6, "Did you mean modbus_tcp?"),
        ("    unit: 1", "    unti: 1", 9, "Did you mean `unit`?"),
        ("    unit: 1", "    password: x", 9, "secrets come from the environment"),
        ("gateway: GW-OLD", "gateway: GW/OLD", 1, "is not allowed"),
        ("    host: 127.0.0.1\n", "", 5, "host: is missing"),
        ("point: MH-012.level", "point: level", 13, "ASSET.property"),
        ("point: MH-012.pump", "point: MH-012.level", 14, "bound twice"),
        ("address: 0", "address: 65535", 13, "reaches beyond register 65535"),
        ("scale: 1.0", "scale: 0", 13, "makes every value the same"),
        ("scale: 1.0", "scale: yes", 13, "must be a number"),
        ("scale: 1.0", "scale: .nan", 13, "finite"),
        ("table: coil, address: 3", "table: coil, address: 3, type: int16", 14, "cannot stand"),
        ("timeout: 500ms", "timeout: 0s", 11, "out of range"),
        ("retain_hours: 24", "retain_hours: 24, when_ful: x", 3, "Did you mean `when_full`?"),
    ],
)
def test_each_mistake_is_named_at_its_line_with_its_mend(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in SOUND
    found = errors(tmp_path, SOUND.replace(old, new))
    assert [(at, says in text) for at, text in found if at == line] == [(line, True)], found


def test_broken_yaml_and_strange_bytes_are_errors_with_a_line(tmp_path: Path) -> None:
    ((line, text),) = errors(tmp_path, SOUND.replace("order: ABCD,", "order: [ABCD,"))
    assert line >= 13
    assert "Mend the YAML" in text
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"gateway: GW\nname: \xe9\n")
    with pytest.raises(ConfigErrors, match=r"latin.yaml:2: .*UTF-8"):
        load_gateway(file)
    with pytest.raises(ConfigErrors, match="cannot be read"):
        load_gateway(tmp_path / "absent.yaml")


@pytest.mark.parametrize("text", ["", "[]", "- a\n- b\n", "just words", "devices: 7"])
def test_a_file_of_another_shape_is_refused_with_words(tmp_path: Path, text: str) -> None:
    assert errors(tmp_path, text)


def test_two_devices_with_one_id_are_refused(tmp_path: Path) -> None:
    again = SOUND[SOUND.index("  - id:") :].replace("MH-012", "MH-013")
    found = errors(tmp_path, SOUND + again)
    assert len(found) == 1
    assert "line 5 has it already" in found[0][1]


def test_the_drivers_sample_file_is_a_valid_device(tmp_path: Path) -> None:
    sample = Path("edge/drivers/modbus_tcp/sample.yaml").read_text(encoding="utf-8")
    gateway = load_gateway(write(tmp_path, "gateway: GW-S\ndevices:\n" + sample))
    assert len(gateway.points) == 5


def test_control_characters_in_a_point_are_refused(tmp_path: Path) -> None:
    found = errors(tmp_path, SOUND.replace("MH-012.level", '"MH-0\\n12.level"'))
    assert "is not allowed" in found[0][1]


def test_a_form_reports_keys_nobody_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path, "a: 1\nb: 2\n")
    with pytest.raises(ConfigErrors, match="unknown key"):
        read_form(file, Form.done)
