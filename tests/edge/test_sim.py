"""The simulated devices: plausible, the same in every process, and honest about their faults."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from edge.config import ConfigErrors
from edge.sim import rain, shapes
from edge.sim.behaviour import load_behaviour
from edge.sim.device import FAULT_COIL, SILENCE_COIL
from edge.sim.record import Record, read_record
from edge.sim.server import serve
from edge.sim.shapes import Settings
from tests.edge.plant import plant

NOON = 1_795_449_600.0  # 2026-11-23 20:00 at UTC+8, a Monday
TIMES = st.floats(1.7e9, 2.0e9)


def shape(name: str, **settings: float | str) -> shapes.Shape:
    return shapes.make(name, Settings(**settings), 8 * 3600, 1, {})  # type: ignore[arg-type]


@given(TIMES, st.floats(0.001, 1e6))
def test_energy_is_the_exact_integral_of_its_power_and_never_falls(at: float, step: float) -> None:
    power = shape("power", mean=800.0, swing=0.9, noise=60.0, weekend=0.3, seed=5)
    settings = Settings(of="p", factor=1 / 3600)
    energy = shapes.make("energy", settings, 8 * 3600, 1, {"p": power})
    assert power.value(at) >= 0
    assert energy.value(at + step) >= energy.value(at)
    parts = 40
    width = 30.0 / parts
    middle = sum(power.value(at + (i + 0.5) * width) for i in range(parts)) * width / 3600
    assert math.isclose(energy.value(at + 30) - energy.value(at), middle, rel_tol=1e-3)


@given(TIMES)
def test_a_works_draws_more_by_day_than_by_night_and_on_a_workday_than_on_sunday(at: float) -> None:
    power = shape("power", mean=100.0, swing=0.9, weekend=0.4)
    monday = 1_795_363_200.0 + 3 * 3600  # 2026-11-23 03:00 at UTC+8
    assert power.value(monday + 7 * 3600) > 2 * power.value(monday)
    assert power.value(monday + 7 * 3600) > 2 * power.value(monday - 86400 + 7 * 3600)
    assert power.value(at) == power.value(at)


@given(TIMES, st.integers(1, 5))
def test_rain_reaches_a_sewer_late_and_never_negative(at: float, seed: int) -> None:
    assert rain.intensity(at, seed) >= 0
    assert rain.response(at, seed, 2400) >= 0
    before, after = rain.response(at, seed, 2400), rain.response(at + 1, seed, 2400)
    assert abs(after - before) < 0.05, "a reservoir does not jump"


def test_the_reservoir_gives_back_all_the_rain_that_fell() -> None:
    span, step = 90 * 86400, 300
    fell = sum(rain.intensity(NOON + i, 1) for i in range(0, span, step)) * step
    ran = sum(rain.response(NOON + i, 1, 2400) for i in range(0, span, step)) * step
    assert fell > 0
    assert math.isclose(ran, fell, rel_tol=0.03)


def test_it_rains_on_some_days_and_not_on_most() -> None:
    wet = sum(rain.intensity(NOON + hour * 3600, 1) > 0 for hour in range(24 * 90))
    assert 0.01 < wet / (24 * 90) < 0.12


@pytest.mark.parametrize("name", [n for n in shapes.SHAPES if n not in ("energy", "volume")])
@given(at=TIMES)
def test_every_shape_is_finite_and_needs_no_memory(name: str, at: float) -> None:
    one = shape(name, mean=20.0, swing=0.5, rain=3.0, noise=0.5, seed=3)
    value = one.value(at)
    assert math.isfinite(value)
    assert value >= 0
    if name != "ticket":
        other = shape(name, mean=20.0, swing=0.5, rain=3.0, noise=0.5, seed=3)
        assert other.value(at) == value


def test_noise_differs_between_seeds_and_stays_near_its_height() -> None:
    one = shape("sewer_level", mean=0.4, swing=0.0, noise=0.01, seed=1)
    other = shape("sewer_level", mean=0.4, swing=0.0, noise=0.01, seed=2)
    values = [one.value(NOON + i) for i in range(0, 3600, 7)]
    assert values != [other.value(NOON + i) for i in range(0, 3600, 7)]
    assert 0.005 < max(values) - min(values) < 0.03


SIM = """\
seed: 3
points:
  A.power: {shape: power, mean: 100, swing: 0.5}
  A.energy: {shape: energy, of: A.power, start: 10}
faults:
  D0: {point: A.power, add: 50, ramp_s: 1}
"""
ROWS = [
    "point: A.power, table: holding, address: 0, type: float32",
    "point: A.energy, table: holding, address: 2, type: uint32, scale: 0.01",
]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("shape: power", "shape: powr", 3, "Did you mean power?"),
        ("of: A.power", "of: A.powr", 4, "Did you mean A.power?"),
        ("swing: 0.5", "swing: 3", 3, "never runs backwards"),
        ("mean: 100", "maen: 100", 3, "mean: is missing"),
        (
            "  A.energy: {shape: energy, of: A.power, start: 10}\n",
            "",
            2,
            "A.energy has no behaviour",
        ),
        ("point: A.power, add", "point: A.x, add", 6, "has no behaviour"),
    ],
)
def test_mistakes_in_the_simulator_file_are_named_at_their_line(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in SIM
    made = plant(tmp_path, [ROWS], SIM.replace(old, new))
    with pytest.raises(ConfigErrors) as caught:
        load_behaviour(made.sim, [made.gateway])
    found = [(error.line, str(error)) for error in caught.value.errors]
    assert any(at == line and says in text for at, text in found), found


def test_the_shapes_of_the_readme_are_the_shapes_there_are() -> None:
    text = Path("edge/sim/README.md").read_text(encoding="utf-8")
    table = {
        name.strip()
        for row in text.splitlines()
        if row.startswith("| ") and not row.startswith("| shape")
        for name in row.split("|")[1].split(",")
    }
    assert table == set(shapes.SHAPES)


def test_coils_switch_fault_and_silence_and_the_record_holds_what_was_served(
    tmp_path: Path,
) -> None:
    made = plant(tmp_path, [ROWS], SIM)
    now = [NOON]
    record = Record(tmp_path / "served.jsonl")

    async def main() -> None:
        async with serve([made.gateway], made.sim, clock=lambda: now[0], record=record) as running:
            client = AsyncModbusTcpClient(
                "127.0.0.1", port=made.ports[0], timeout=0.3, retries=0, reconnect_delay=0
            )
            assert await client.connect()

            async def read() -> float:
                answer = await client.read_holding_registers(0, count=2, device_id=1)
                assert not answer.isError()
                return float(
                    client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)  # type: ignore[arg-type]
                )

            plain = await read()
            assert not (await client.write_coil(FAULT_COIL, True, device_id=1)).isError()
            now[0] += 0.5
            assert 20 < await read() - plain < 30, "half of the ramp"
            now[0] += 10
            assert 45 < await read() - plain < 55
            await client.write_coil(FAULT_COIL, False, device_id=1)
            assert abs(await read() - plain) < 5
            assert (await client.read_holding_registers(7, count=1, device_id=1)).isError()
            assert not (await client.write_coil(SILENCE_COIL, True, device_id=1)).isError()
            with pytest.raises(Exception, match="No response"):
                await client.read_holding_registers(0, count=2, device_id=1)
            assert running.units["D0"].device == "D0"
            client.close()
            await asyncio.sleep(0)

    asyncio.run(main())
    record.close()
    served = record.all()
    assert [row.point for row in served] == ["A.power"] * 4
    assert served == read_record(tmp_path / "served.jsonl")


def test_only_loopback_is_simulated(tmp_path: Path) -> None:
    made = plant(tmp_path, [ROWS], SIM)
    made.file.write_text(made.file.read_text().replace("127.0.0.1", "10.0.0.7"))
    from edge.config import load_gateway

    gateway = load_gateway(made.file)

    async def main() -> None:
        with pytest.raises(ConfigErrors, match="not loopback"):
            async with serve([gateway], made.sim):
                pass

    asyncio.run(main())


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    made = plant(tmp_path, [ROWS], SIM)

    async def main() -> None:
        async with serve([made.gateway], made.sim):
            with pytest.raises(OSError, match=rf"127.0.0.1:{made.ports[0]}: the port is taken"):
                async with serve([made.gateway], made.sim):
                    pass

    asyncio.run(main())
