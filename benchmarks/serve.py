"""`ogf serve` under 1,000 readers while a sync runs, beside a bare FastAPI that gives bytes it has ready.

    python benchmarks/serve.py [--readers 1000] [--seconds 20] [--rows 500000]

Both are real processes on loopback with the same server settings; readers are asyncio connections kept open, in one
process of their own. Each asks, waits for the answer, and asks again. A sync of `--rows` rows runs meanwhile, again
and again. Prints answers a second, and the middle and 99th percentile of the time to an answer, of both and as ratios.
It fails only where an answer was no 200.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from compare import HERE
from cur import exports

OGF = str(Path(sys.executable).with_name("ogf"))
PATHS = (
    "/api/emissions/summary",
    "/api/emissions?group_by=provider,month",
    "/api/connectors",
    "/api/jobs",
    "/api/activities?limit=20",
)
BARE = """
import sys
from fastapi import FastAPI, Response
import uvicorn
app = FastAPI()
BODY = b"{" + b'"x":1,' * 300 + b'"y":1}'
@app.get("/{path:path}")
def answer(path: str) -> Response:
    return Response(BODY, media_type="application/json")
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)
Server(uvicorn.Config(app, port=0, log_level="critical", access_log=False, backlog=2048, http="h11")).run()
"""


class Seen(NamedTuple):
    """What readers saw: seconds to each answer, and how many were no 200."""

    seconds: list[float]
    failed: int
    lasted: float

    def told(self, name: str) -> str:
        return (
            f"{name:<14} {len(self.seconds) / self.lasted:>8,.0f} answers/s   median {self.at(50) * 1000:>7,.0f} ms   "
            f"p99 {self.at(99) * 1000:>7,.0f} ms   failed {self.failed}"
        )

    def at(self, percent: int) -> float:
        return statistics.quantiles(self.seconds, n=100)[percent - 1]


async def read(port: int, key: str, readers: int, seconds: float) -> Seen:
    found: list[float] = []
    failed = 0
    end = time.monotonic() + seconds

    async def reader(number: int) -> None:
        nonlocal failed
        stream, out = await asyncio.open_connection("127.0.0.1", port)
        path = PATHS[number % len(PATHS)]
        ask = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        while time.monotonic() < end:
            began = time.perf_counter()
            out.write(ask)
            head = await stream.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await stream.readexactly(length)
            found.append(time.perf_counter() - began)
            failed += not head.startswith(b"HTTP/1.1 200")
        out.close()

    began = time.monotonic()
    await asyncio.gather(*(reader(number) for number in range(readers)))
    return Seen(found, failed, time.monotonic() - began)


async def busy(port: int, key: str, end: asyncio.Event) -> int:
    """Start a full sync as soon as the one before has ended; returns how many there were."""
    begun = 0
    while not end.is_set():
        stream, out = await asyncio.open_connection("127.0.0.1", port)
        body = b'{"full": true, "streams": ["cur"]}'
        out.write(
            f"POST /api/connectors/sync/aws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        answer = await stream.read()
        begun += b'"started"' in answer
        out.close()
        await asyncio.sleep(0.5)
    return begun


async def both(port: int, key: str, readers: int, seconds: float) -> tuple[Seen, int]:
    end = asyncio.Event()
    syncs = asyncio.create_task(busy(port, key, end))
    await asyncio.sleep(1)
    seen = await read(port, key, readers, seconds)
    end.set()
    return seen, await syncs


def serve(folder: Path, rows: int) -> tuple[subprocess.Popen[str], int, str]:
    export = exports(HERE / ".data", "parquet", rows)
    config = folder / "ogf.yaml"
    config.write_text(
        f"warehouse: {{path: {folder}/ogf.duckdb}}\ningestion: {{aws: {{cur: {{location: {export}}}}}}}\n"
    )
    common = ["--config", str(config)]
    subprocess.run([OGF, "run", "--provider", "aws", "-q", *common], check=True)
    key = subprocess.run(
        [OGF, "token", "create", "--name", "bench", "--scope", "run", *common],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    process = subprocess.Popen(
        [OGF, "serve", "--port", "0", "--json", *common],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told = ""
    while not told.rstrip().endswith("}"):
        told += process.stdout.readline()
    return process, int(json.loads(told)["address"].rsplit(":", 1)[1]), key


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--readers", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--rows", type=int, default=500_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ogf-bench-") as folder:
        bare = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True)
        floor = asyncio.run(read(int(bare.stdout.readline()), "x", asked.readers, asked.seconds))
        bare.kill()
        process, port, key = serve(Path(folder), asked.rows)
        try:
            quiet = asyncio.run(read(port, key, asked.readers, asked.seconds))
            seen, syncs = asyncio.run(both(port, key, asked.readers, asked.seconds))
        finally:
            process.terminate()
            process.wait(60)
    print(f"{asked.readers:,} readers, {os.cpu_count()} cores, {asked.rows:,} rows")
    print(floor.told("bare FastAPI"))
    print(quiet.told("ogf serve"))
    print(seen.told("… and syncing"), f"  syncs begun {syncs}")
    for name, each in (("ogf serve", quiet), ("… and syncing", seen)):
        rate = (len(each.seconds) / each.lasted) / (len(floor.seconds) / floor.lasted)
        print(
            f"{name:<14} {rate:.2f} of the answers a second, p99 {each.at(99) / floor.at(99):.2f} times as long"
        )
    if quiet.failed or seen.failed:
        sys.exit("an answer was no 200")


if __name__ == "__main__":
    main()
