"""The documentation against the code: generated pages are current, examples work, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _module(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli.md", "factors.md", "settings.md", "tables.md"])
def test_generated_pages_are_current(page):
    generate = _module(ROOT / "docs" / "generate.py", "docs_generate")
    assert (generate.REFERENCE / page).read_text() == generate.PAGES[page](), "run `make docs`"


def test_method_a10_the_constants_of_the_page_are_those_of_the_code(tmp_path):
    from ogf.warehouse.file import WarehouseFile

    page = (ROOT / "docs/reference/factors.md").read_text()
    with WarehouseFile(tmp_path / "w.duckdb").writing() as connection:
        memory = connection.execute(
            "SELECT low, middle, high FROM factor_coefficients WHERE name = 'memory'"
        ).fetchone()
        view = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'estimates'").fetchone()[
            0
        ]
    assert f"| memory | {memory[0]:.6g} | {memory[1]:.6g} | {memory[2]:.6g} |" in page
    assert str(memory[1]) in view


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_plugin_of_the_how_to_runs(tmp_path):
    from ogf.config import load
    from ogf.plugins import bind
    from ogf.runner.run import Options, ProviderRun

    text = (ROOT / "docs/how-to/write-a-plugin.md").read_text()
    code = re.search(r"```python\n# ogf_mycloud.py.*?```", text, re.DOTALL)[0]
    (tmp_path / "ogf_mycloud.py").write_text("\n".join(code.splitlines()[1:-1]))
    (tmp_path / "2026-01.json").write_text('[{"account": "a", "service": "vm", "kg": 1.5}]')
    (tmp_path / "2026-02.json").write_text("[]")
    plugin = bind(_module(tmp_path / "ogf_mycloud.py", "ogf_mycloud"), name="mycloud")
    config = load(
        environ={},
        overrides={"warehouse.path": tmp_path / "w.duckdb", "ingestion.mycloud.folder": str(tmp_path)},
        providers={"mycloud": plugin.provider.settings},
        installed=["mycloud"],
    )
    run = ProviderRun(plugin, config)
    result = run.run(Options())
    assert (result.status, result.rows) == ("succeeded", 1)
    with run.warehouse.reading() as connection:
        rows = connection.execute(
            "SELECT account_id, emissions_kgco2e, period_end::DATE FROM activities"
        ).fetchall()
    assert [(row[0], row[1], str(row[2])) for row in rows] == [("a", 1.5, "2026-02-01")]
