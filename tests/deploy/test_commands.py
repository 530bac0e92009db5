"""The commands of the README and of the backup guide, run as they are printed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from deploy.conftest import ROOT
from processes import OGF, environment, ogf

BIN = Path(OGF).parent


def _blocks(page: str, heading: str) -> list[str]:
    text = (ROOT / page).read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"```sh\n(.*?)```", section[1], re.DOTALL)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_curl_lines_of_the_readme_work_as_printed(checkout):
    (block,) = _blocks("README.md", "Serve it")
    port = _free_port()
    serve, key, *curls = block.strip().splitlines()
    assert serve.endswith("&")
    wait = f"for i in $(seq 200); do curl -sf http://127.0.0.1:{port}/healthz >/dev/null && break; sleep 0.1; done"
    script = [serve, "server=$!", "trap 'kill $server; wait $server' EXIT", wait, key]
    for curl in curls:
        assert curl.startswith("curl ")
        script += ["echo '<answer>'", curl.replace(":8090", f":{port}").replace("curl ", "curl -sSf ", 1)]
    done = subprocess.run(
        ["bash", "-ec", "\n".join(script)],
        cwd=checkout,
        env=environment(checkout) | {"PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sync, jobs, emissions, activities = done.stdout.split("<answer>\n")[1:]
    assert '"status":"started"' in sync
    assert '"provider":"gcp"' in jobs
    assert '"unit":"kg CO2e"' in emissions
    assert activities.startswith("activity_id,org_id,provider")
    assert activities.count("\n") > 100


def _shell(folder: Path, *commands: str) -> str:
    env = environment(folder) | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_backup_guide_copies_tries_and_restores(checkout, tmp_path):
    folder = tmp_path / "place"
    shutil.copytree(checkout, folder, symlinks=True)
    page = "docs/how-to/backup.md"
    (copy,) = _blocks(page, "Copy it while things go on")
    compact, _ = _blocks(page, "Copy it smaller, or out of DuckDB")
    (tried,) = _blocks(page, "Try the copy")
    (restore,) = _blocks(page, "Restore")
    before = _figures(folder / "demo/ogf.duckdb")
    said = _shell(folder, copy, compact, tried)
    assert re.search(r"backup/ogf-\S+: [\d,]+ rows of 6 loads and 6 partitions", said)
    assert _figures(folder / "backup/compact.duckdb") == before
    assert _figures(next((folder / "backup").glob("ogf-*.duckdb"))) == before
    (folder / "demo/ogf.duckdb").write_bytes(b"lost")
    _shell(folder, restore)
    assert _figures(folder / "demo/ogf.duckdb") == before


def _figures(db: Path) -> list[tuple]:
    question = "SELECT provider, basis, accounting, round(sum(emissions_kgco2e), 6) FROM footprint GROUP BY ALL ORDER BY ALL"
    with duckdb.connect(str(db), read_only=True) as connection:
        return connection.execute(question).fetchall()


KILLED = """
import duckdb, os, signal, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("SET checkpoint_threshold = '1GB'")
connection.execute("CREATE TABLE late AS FROM range(5)")
connection.execute("INSERT INTO activity_log SELECT * FROM activity_log LIMIT 5")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_copy_has_what_a_killed_writer_had_committed(checkout, tmp_path):
    db, copy = tmp_path / "w.duckdb", tmp_path / "copies" / "w.duckdb"
    shutil.copy(checkout / "demo/ogf.duckdb", db)
    subprocess.run([sys.executable, "-c", KILLED, db], check=False)
    assert db.with_name("w.duckdb.wal").exists()
    done = _copy(db, copy)
    assert done.returncode == 0, done.stderr
    assert list(copy.parent.iterdir()) == [copy]
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM late").fetchone() == (5,)
    assert ogf("status", "--db", copy, cwd=tmp_path).returncode == 0


WRITER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("BEGIN; CREATE TABLE late AS FROM range(5)")
print("holding", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


def test_a_copy_waits_for_who_writes(checkout, tmp_path):
    db, copy = tmp_path / "w.duckdb", tmp_path / "copy.duckdb"
    shutil.copy(checkout / "demo/ogf.duckdb", db)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, db], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "holding\n"
        copying = subprocess.Popen(
            [sys.executable, ROOT / "deploy/backup.py", db, copy], stdout=subprocess.PIPE, text=True
        )
        time.sleep(0.5)  # long enough for a copy that does not wait
        assert copying.poll() is None
        assert not copy.exists()
        writer.communicate("go on\n")
    said, _ = copying.communicate(timeout=60)
    assert copying.returncode == 0, said
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM late").fetchone() == (5,)


def _copy(db: Path, copy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "deploy/backup.py", db, copy],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
