"""The BigQuery REST protocol and its Storage Read API on loopback. No SQL: a query's rows are what the test says."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

PROJECT = "demo"
FIELDS = [
    {"name": "x", "type": "INTEGER", "mode": "NULLABLE"},
    {"name": "name", "type": "STRING", "mode": "NULLABLE"},
    {
        "name": "place", "type": "RECORD", "mode": "NULLABLE",
        "fields": [{"name": "region", "type": "STRING", "mode": "NULLABLE"}],
    },
]  # fmt: skip
# HTTP statuses of reasons; anything else is a 400.
_STATUS = {
    "accessDenied": 403, "quotaExceeded": 403, "rateLimitExceeded": 403, "notFound": 404, "duplicate": 409,
    "backendError": 503, "internalError": 500,
}  # fmt: skip


def row(number: int) -> list[Any]:
    """A row of `FIELDS`."""
    return [number, f"n{number}", {"region": "us-central1"}]


def cells(fields: list[dict], values: list) -> dict:
    """A row as the REST API writes it: everything a text, in `f` and `v`."""

    def cell(kind: dict, value: Any) -> Any:
        if value is None:
            return None
        if kind.get("mode") == "REPEATED":
            return [{"v": cell({**kind, "mode": "NULLABLE"}, item)} for item in value]
        if kind["type"] == "RECORD":
            return cells(kind["fields"], [value.get(inner["name"]) for inner in kind["fields"]])
        return str(value)

    return {"f": [{"v": cell(kind, value)} for kind, value in zip(fields, values, strict=True)]}


@dataclass
class Fault:
    """What to answer to the next requests whose line contains `part`."""

    part: str
    reason: str
    status: int
    message: str
    delay: float = 0.0
    body: bytes | None = None


@dataclass
class Job:
    reference: dict[str, str]
    configuration: dict[str, Any]
    error: str = ""
    message: str = ""
    polls: int = 0  # answers "still running" to this many
    ended: float = field(default_factory=time.time)
    gone: bool = False  # its rows are not kept any more


class BigQueryFake:
    """A server. A request's line is `POST /projects/demo/jobs dry-run` or `GET /projects/demo/queries/id?…`."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.fields: list[dict] = FIELDS
        self.rows: list[list] = [row(number) for number in range(3)]
        self.bytes = 12345
        self.datasets = {"carbon": "EU"}
        self.tables: dict[str, list[dict]] = {"carbon.carbon_footprint": FIELDS}
        self.jobs: dict[str, Job] = {}
        self.outcomes: list[str] = []  # reasons that the next jobs fail for; "" succeeds
        self.polls = 0
        self.total: int | None = None  # what to say instead of the number of rows
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.bodies: list[dict] = []

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def fail(
        self, part: str, reason: str = "", status: int = 0, *, times: int = 1, message: str = "", delay: float = 0.0,
        body: bytes | None = None,
    ) -> None:  # fmt: skip
        status = status or _STATUS.get(reason, 400)
        self.faults += [Fault(part, reason, status, message or f"injected {reason}", delay, body)] * times

    def expire(self) -> None:
        """Forget the rows of all jobs."""
        for job in self.jobs.values():
            job.gone = True

    def inserted(self) -> list[str]:
        """Ids of the jobs that ran, in order."""
        return list(self.jobs)

    def configurations(self, *, dry: bool) -> list[dict]:
        return [
            body["configuration"] for body in self.bodies if bool(body["configuration"].get("dryRun")) is dry
        ]

    def answer(self, line: str, method: str, path: list[str], query: dict, body: dict) -> tuple[int, dict]:
        match method, path:
            case "POST", ["projects", project, "jobs"]:
                return self._insert(project, body)
            case "GET", ["projects", _, "jobs", job_id]:
                job = self.jobs.get(job_id)
                return (200, self._job(job)) if job else _error("notFound", f"Not found: Job {job_id}")
            case "GET", ["projects", _, "queries", job_id]:
                return self._results(job_id, query)
            case "GET", ["projects", project, "datasets", name]:
                if name not in self.datasets:
                    return _error("notFound", f"Not found: Dataset {project}:{name}")
                reference = {"projectId": project, "datasetId": name}
                return 200, {"datasetReference": reference, "location": self.datasets[name]}
            case "GET", ["projects", project, "datasets", dataset, "tables", table]:
                fields = self.tables.get(f"{dataset}.{table}")
                if fields is None:
                    return _error("notFound", f"Not found: Table {project}:{dataset}.{table}")
                reference = {"projectId": project, "datasetId": dataset, "tableId": table}
                return 200, {"tableReference": reference, "schema": {"fields": fields}, "type": "TABLE",
                             "location": self.datasets.get(dataset)}  # fmt: skip
        return _error("notFound", f"no such method: {line}")

    def _insert(self, project: str, body: dict) -> tuple[int, dict]:
        self.bodies.append(body)
        configuration, reference = body["configuration"], body["jobReference"]
        sql = configuration["query"]["query"]
        for dataset, location in self.datasets.items():
            asked = reference.get("location")
            if f"{dataset}." in sql and asked and asked != location:
                return _error(
                    "notFound", f"Not found: Dataset {project}:{dataset} was not found in location {asked}"
                )
        if configuration.get("dryRun"):
            size = str(self.bytes)
            statistics = {"totalBytesProcessed": size, "query": {"totalBytesProcessed": size}}
            return 200, {"jobReference": reference, "configuration": configuration, "status": {"state": "DONE"},
                         "statistics": statistics}  # fmt: skip
        job_id = reference["jobId"]
        if job_id in self.jobs:
            return _error("duplicate", f"Already Exists: Job {project}:{job_id}")
        outcome = self.outcomes.pop(0) if self.outcomes else ""
        self.jobs[job_id] = Job(reference, configuration, outcome, f"the job failed: {outcome}", self.polls)
        return 200, self._job(self.jobs[job_id])

    def _job(self, job: Job) -> dict:
        done = job.polls == 0
        status: dict = {"state": "DONE" if done else "RUNNING"}
        if done and job.error:
            status["errorResult"] = {"reason": job.error, "message": job.message}
            status["errors"] = [status["errorResult"]]
        query = {**job.configuration["query"],
                 "destinationTable": {"projectId": PROJECT, "datasetId": "_anon", "tableId": "anon1"}}  # fmt: skip
        statistics = {"query": {}, **({"endTime": str(int(job.ended * 1000))} if done else {})}
        return {"jobReference": job.reference, "configuration": {**job.configuration, "query": query},
                "status": status, "statistics": statistics}  # fmt: skip

    def _results(self, job_id: str, query: dict) -> tuple[int, dict]:
        job = self.jobs.get(job_id)
        if job is None or job.gone:
            return _error("notFound", "Not found: Table demo:_anon.anon1")
        if job.polls:
            job.polls -= 1
            return 200, {"jobReference": job.reference, "jobComplete": False}
        if job.error:
            return _error(job.error, job.message)
        start = int(query["pageToken"].removeprefix("T")) if "pageToken" in query else 0
        size = int(query.get("maxResults", 1000))
        page = self.rows[start : start + size]
        total = len(self.rows) if self.total is None else self.total
        answer = {"jobReference": job.reference, "jobComplete": True, "totalRows": str(total),
                  "schema": {"fields": self.fields}}  # fmt: skip
        if page:
            answer["rows"] = [cells(self.fields, values) for values in page]
        if start + size < len(self.rows):
            answer["pageToken"] = f"T{start + size}"
        return 200, answer


def _error(reason: str, message: str, status: int = 0) -> tuple[int, dict]:
    status = status or _STATUS.get(reason, 400)
    errors = [{"domain": "global", "reason": reason, "message": message}] if reason else []
    return status, {"error": {"code": status, "message": message, "errors": errors}}


def _handler(fake: BigQueryFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one packet: else each answer waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.loads(raw) if raw else {}
            path, _, query = self.path.removeprefix("/bigquery/v2").partition("?")
            line = f"{method} {unquote(path)}" + (f"?{query}" if query else "")
            if method == "POST" and body.get("configuration", {}).get("dryRun"):
                line += " dry-run"
            with fake.lock:
                fake.calls.append(line)
                fault = next((fault for fault in fake.faults if fault.part in line), None)
                if fault is None:
                    status, answer = fake.answer(
                        line, method, unquote(path).strip("/").split("/"), dict(parse_qsl(query)), body
                    )
                else:
                    fake.faults.remove(fault)
                    status, answer = _error(fault.reason, fault.message, fault.status)
            text = json.dumps(answer).encode()
            if fault is not None:
                time.sleep(fault.delay)
                text = fault.body if fault.body is not None else text
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class StorageFake:
    """The Storage Read API (gRPC) on loopback: one stream of the table that the test gives.

    Attributes:
        refuse: a gRPC status name that opening a session is answered with.
        breaks: batch number → status name that reading stops at, once.
    """

    def __init__(self) -> None:
        import grpc
        from google.cloud.bigquery_storage_v1 import types

        self.grpc, self.types = grpc, types
        service = "google.cloud.bigquery.storage.v1.BigQueryRead"
        handlers = {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self._create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self._read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        }
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()
        self.reset()

    def reset(self) -> None:
        self.table: Any = None
        self.batch = 2
        self.refuse = ""
        self.breaks: dict[int, str] = {}
        self.sessions: list[tuple[str, str]] = []
        self.offsets: list[int] = []

    def close(self) -> None:
        self.server.stop(grace=None).wait()

    def _create(self, request, context):
        self.sessions.append((request.parent, request.read_session.table))
        if self.refuse:
            context.abort(self.grpc.StatusCode[self.refuse], f"injected {self.refuse}")
        streams = [self.types.ReadStream(name="projects/demo/streams/1")] if self.table.num_rows else []
        schema = {"serialized_schema": self.table.schema.serialize().to_pybytes()}
        return self.types.ReadSession(name="session", arrow_schema=schema, streams=streams)

    def _read(self, request, context):
        self.offsets.append(request.offset)
        for number, batch in enumerate(self.table.slice(request.offset).to_batches(max_chunksize=self.batch)):
            found = self.breaks.pop(number + request.offset // self.batch, "")
            if found:
                context.abort(self.grpc.StatusCode[found], f"injected {found}")
            yield self.types.ReadRowsResponse(
                arrow_record_batch={"serialized_record_batch": batch.serialize().to_pybytes()},
                row_count=batch.num_rows,
            )
