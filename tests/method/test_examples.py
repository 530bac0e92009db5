"""ogf-2026.1 by hand: an input row, the arithmetic in plain numbers, the figure of the view."""

from __future__ import annotations

import pytest

M6I = {  # 8 vCPU and 32 GiB for the 720 hours of June
    "region": "eu-central-1",
    "instance_type": "m6i.2xlarge",
    "processor": "Ice Lake",
    "vcpu_hours": 8 * 720,
    "memory_gib_hours": 32 * 720,
}
ICE_LAKE = (0.766796875, 3.7582031249999996)
GB = 1.073741824  # GiB in GB


def figures(warehouse, lifecycle="operational"):
    return warehouse.one(
        "SELECT it_energy_kwh, energy_kwh, emissions_kgco2e, low_kgco2e, high_kgco2e FROM emissions "
        "WHERE basis = 'estimated' AND lifecycle = ?",
        lifecycle,
    )


def expect(found, *wanted):
    assert found == pytest.approx(wanted, rel=1e-9)


def test_a_virtual_machine(warehouse):
    warehouse.load(M6I)
    low, high = ICE_LAKE
    hours, gib = 5760, 23040
    middle = hours * (low + 0.5 * (high - low)) / 1000 + gib * 0.000392
    least = hours * (low + 0.1 * (high - low)) / 1000 + gib * 0.0002
    most = hours * (low + 0.9 * (high - low)) / 1000 + gib * 0.0006
    assert middle == pytest.approx(13.032 + 9.03168)  # kWh of the vCPUs and of the memory
    expect(
        figures(warehouse),
        middle,
        middle * 1.35,
        middle * 1.35 * 341 / 1000,  # Germany 2024
        least * 1.35 * 329.65 / 1000,  # Ember's Germany is the lowest candidate
        most * 1.35 * 341 / 1000,
    )
    assert figures(warehouse)[2:] == pytest.approx((10.157015, 4.783067, 15.535984), abs=1e-6)


def test_embodied_carbon_of_a_virtual_machine(warehouse):
    warehouse.load(M6I)
    share = 5760 * 1788.46 / 128  # kg of the server, 128 vCPUs on it
    found = figures(warehouse, "embodied")
    assert found[:2] == (None, None)
    expect(found[2:], share / 52560, share / 52560, share / 35040)
    assert found[2] == pytest.approx(1.531216, abs=1e-6)


def test_cores_and_memory_billed_apart(warehouse):
    july = {
        "period_start": "2025-07-01 00:00:00Z",
        "period_end": "2025-08-01 00:00:00Z",
        "region": "us-east1",
    }
    warehouse.load(
        july | {"vcpu_hours": 16 * 744, "processor": "EPYC 2nd Gen"},
        july | {"memory_gib_hours": 64 * 744},
        provider="gcp",
    )
    cores = 16 * 744 * (0.4742621527777777 + 0.5 * (1.575187293981481 - 0.4742621527777777)) / 1000
    memory = 64 * 744 * 0.000392
    assert (cores, memory) == pytest.approx((12.198323, 18.665472), abs=1e-6)
    found = warehouse.one("SELECT sum(energy_kwh), sum(emissions_kgco2e) FROM emissions")
    expect(found, (cores + memory) * 1.1, (cores + memory) * 1.1 * 654 / 1000)
    assert found == pytest.approx((33.950175, 22.203414), abs=1e-6)


def test_object_storage_in_a_leap_february(warehouse):
    warehouse.load(
        {
            "region": "eu-west-1",
            "storage_gib_hours": 500 * 696,
            "storage_media": "hdd",
            "replication": 6,
            "period_start": "2024-02-01 00:00:00Z",
            "period_end": "2024-03-01 00:00:00Z",
        }
    )
    tb_hours = 500 * 696 * GB / 1000  # TB of 10^12 bytes
    one_copy = tb_hours * 0.65 / 1000
    expect(
        figures(warehouse),
        one_copy * 6,
        one_copy * 6 * 1.11,
        one_copy * 6 * 1.11 * 352 / 1000,
        one_copy * 1.11 * 256.54 / 1000,
        tb_hours * 0.89 / 1000 * 6 * 1.11 * 352 / 1000,
    )
    assert figures(warehouse)[:4] == pytest.approx((1.457282, 1.617583, 0.569389, 0.069162), abs=1e-6)


def test_a_managed_disk(warehouse):
    warehouse.load(
        {
            "region": "westeurope",
            "storage_gib_hours": 1024 * 744,
            "storage_media": "ssd",
            "replication": 3,
            "period_start": "2025-07-01 00:00:00Z",
            "period_end": "2025-08-01 00:00:00Z",
        },
        provider="azure",
    )
    energy = 1024 * 744 * GB / 1000 * 1.2 / 1000 * 3
    expect(figures(warehouse)[:3], energy, energy * 1.16, energy * 1.16 * 253 / 1000)
    assert figures(warehouse)[:3] == pytest.approx((2.944932, 3.416121, 0.864279), abs=1e-6)


@pytest.mark.parametrize(
    ("route", "middle", "low", "high"),
    [
        ("internet", 0.001, 0.001, 0.059),
        ("inter_region", 0.0015, 0.001, 0.0015),
        ("intra_region", 0.001, 0.001, 0.0015),
        ("inbound", 0, 0, 0),
    ],
)
def test_network(warehouse, route, middle, low, high):
    warehouse.load(
        {
            "region": "us-east-1",
            "network_gib": 1000,
            "network_route": route,
            "period_start": "2025-03-01 00:00:00Z",
            "period_end": "2025-04-01 00:00:00Z",
        }
    )
    gb = 1000 * GB
    kg = 1.15 * 418 / 1000  # Virginia 2025: the highest candidate too; Ember's is 327.17
    expect(
        figures(warehouse),
        gb * middle,
        gb * middle * 1.15,
        gb * middle * kg,
        gb * low * 1.15 * 0.32717,
        gb * high * kg,
    )
    if route == "internet":
        assert figures(warehouse)[:3] == pytest.approx((1.073742, 1.234803, 0.516148), abs=1e-6)


def test_gpus(warehouse):
    warehouse.load(M6I | {"gpu_hours": 720, "gpu_model": "T4", "vcpu_hours": None, "memory_gib_hours": None})
    energy = 720 * (8 + 0.5 * (71 - 8)) / 1000
    expect(figures(warehouse)[:2], energy, energy * 1.35)
    expect(figures(warehouse)[3:4], 720 * (8 + 0.1 * 63) / 1000 * 1.35 * 0.32965)


def test_a_burstable_type_uses_its_baseline(warehouse):
    warehouse.load(
        {"region": "eu-central-1", "instance_type": "t3.micro", "processor": "Skylake", "vcpu_hours": 1440}
    )
    low, high = 0.6129888539040325, 4.104170352960531
    expect(figures(warehouse)[:1], 1440 * (low + 0.10 * (high - low)) / 1000)


def test_a_measured_utilisation_is_that_of_the_bounds_too(warehouse):
    warehouse.load({key: value for key, value in M6I.items() if key != "memory_gib_hours"})
    warehouse.use(utilisation=0.3)
    low, high = ICE_LAKE
    kwh = 5760 * (low + 0.3 * (high - low)) / 1000
    # What is left of the interval is the grid: Ember's Germany below, Electricity Maps' in the middle and above.
    kg = (kwh * 1.35 * 341 / 1000, kwh * 1.35 * 329.65 / 1000, kwh * 1.35 * 341 / 1000)
    expect(figures(warehouse), kwh, kwh * 1.35, *kg)
    warehouse.clear()
    warehouse.load(
        {"region": "eu-central-1", "instance_type": "t3.medium", "vcpu_hours": 100, "processor": ""}
    )
    it, _, middle, least, most = figures(warehouse)
    assert it == pytest.approx(100 * (0.74 + 0.2 * (3.5 - 0.74)) / 1000, rel=0.01)  # the baseline stays
    assert least <= middle <= most


def test_years_without_data_have_the_bounds_of_the_year_whose_factor_they_take(warehouse):
    years = warehouse.ask(
        "SELECT usage_year, factor_id, low_factor_id, high_factor_id FROM factor_regions "
        "WHERE provider = 'aws' AND reported = 'eu-central-1' AND usage_year >= 2025 ORDER BY 1"
    )
    assert [year for year, *_ in years] == [2025, 2026, 2027]
    assert {tuple(ids) for _, *ids in years} == {("em:2025:DE", "ember:2025:aws/eu-central-1", "em:2025:DE")}
    assert (
        warehouse.ask(
            "SELECT provider, reported FROM factor_regions WHERE usage_year >= 2026 GROUP BY provider, reported "
            "HAVING count(DISTINCT (factor_id, low_factor_id, high_factor_id)) > 1"
        )
        == []
    )


def test_several_possible_processors_are_averaged_and_bound_by_the_extremes(warehouse):
    warehouse.load(
        {"region": "us-east1", "vcpu_hours": 1000, "processor": "Broadwell/Skylake"}, provider="gcp"
    )
    broadwell, skylake = (0.7128342245989305, 3.3857473048128344), (0.6129888539040325, 3.8679459262938636)
    watts = [low + 0.5 * (high - low) for low, high in (broadwell, skylake)]
    least = min(low + 0.1 * (high - low) for low, high in (broadwell, skylake))
    most = max(low + 0.9 * (high - low) for low, high in (broadwell, skylake))
    found = figures(warehouse)
    expect(found[:1], sum(watts) / 2)
    g = warehouse.one(
        "SELECT low_gco2e_per_kwh, high_gco2e_per_kwh FROM factor_regions "
        "WHERE provider = 'gcp' AND reported = 'us-east1' AND usage_year = 2024"
    )
    expect(found[3:], least * 1.1 * g[0] / 1000, most * 1.1 * g[1] / 1000)


def test_an_unknown_processor_takes_the_providers_average_and_says_so(warehouse):
    warehouse.load({"region": "eastus", "vcpu_hours": 1000, "processor": "Cobalt"}, provider="azure")
    expect(figures(warehouse)[:1], 0.74 + 0.5 * (3.54 - 0.74))
    assert warehouse.one("SELECT data_quality FROM emissions") == "default"
    assert warehouse.one("SELECT estimated_rows, unknown_processor_rows FROM coverage") == (1, 1)


def test_surplus_credits_are_what_a_vcpu_takes_beyond_idling_and_no_further_machine(warehouse):
    """10 vCPU-hours above the baseline of a t3: the idle watts are in the machine's own row."""
    warehouse.load(
        {
            "region": "eu-central-1",
            "usage_type": "EUC1-CPUCredits:t3",
            "processor": "Ice Lake",
            "instance_type": "m6i.2xlarge",
            "vcpu_hours": 10,
        }
    )
    low, high = ICE_LAKE
    kwh = 10 * (high - low) / 1000
    expect(figures(warehouse)[:3], kwh, kwh * 1.35, kwh * 1.35 * 341 / 1000)
    assert warehouse.ask("FROM emissions WHERE lifecycle = 'embodied'") == []
