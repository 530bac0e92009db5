"""The BigQuery Storage Read API: a table's rows as a stream of Arrow batches. gRPC belongs here and nowhere else."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from ogf_gcp.session import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from google.cloud import bigquery

    from ogf_gcp.settings import GcpSettings

# host:port of a server that speaks the Storage Read API without TLS; the counterpart of BIGQUERY_EMULATOR_HOST.
EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"


def read_client(settings: GcpSettings) -> Any:
    """Give the client; None where the rows come from another server than Google, which has no such API."""
    emulator = os.environ.get(EMULATOR)
    if emulator:
        return _insecure(emulator)
    if settings.endpoint_url or os.environ.get("BIGQUERY_EMULATOR_HOST"):
        return None
    return _client(credentials(settings))


@cache
def _client(found: Any) -> Any:
    # Not the client of the package's top level: that one goes on by itself after errors.
    from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient

    return BigQueryReadClient(credentials=found)


@cache
def _insecure(address: str) -> Any:
    import grpc  # type: ignore[import-untyped]
    from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def open_session(storage: Any, table: bigquery.TableReference, *, project: str, timeout: float) -> Any:
    """Open a read session of one stream, which keeps the rows' order and memory bounded. One call."""
    from google.cloud.bigquery_storage_v1 import types

    return storage.create_read_session(
        parent=f"projects/{project}",
        read_session=types.ReadSession(table=table.to_bqstorage(), data_format=types.DataFormat.ARROW),
        max_stream_count=1,
        retry=None,
        timeout=timeout,
    )


def refused(error: BaseException) -> bool:
    """Say whether the API is not for this caller: no right to it, or no such service or table there."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.Forbidden | exceptions.NotFound | exceptions.MethodNotImplemented)


def schema_of(session: Any) -> pa.Schema:
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))


def batches_of(storage: Any, session: Any, schema: pa.Schema, *, timeout: float) -> Iterator[pa.RecordBatch]:
    """Read a session's rows, one message of at most some megabytes after the other."""
    import pyarrow as pa

    for stream in session.streams:
        for message in _messages(storage, stream.name, timeout=timeout):
            yield pa.ipc.read_record_batch(
                pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema
            )


def _messages(storage: Any, stream: str, *, timeout: float) -> Iterator[Any]:
    """Read a stream to its end.

    A deadline of gRPC is one for the whole stream, not for its next message: a stream that outlasts it is gone on
    with from where it was, and only one that brought nothing within it has failed.
    """
    from google.api_core.exceptions import DeadlineExceeded

    offset = 0
    while True:
        before = offset
        try:
            for message in storage.read_rows(read_stream=stream, offset=offset, retry=None, timeout=timeout):
                yield message
                offset += message.row_count
        except DeadlineExceeded:
            if offset == before:
                raise
        else:
            return
