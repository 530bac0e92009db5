"""A named pipe that DuckDB reads while a thread decodes into it: one pass, no copy on disk, damage noticed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux only; elsewhere the default size is slower, not wrong


class Feed:
    """Pipes chunks to whoever opens `path`; `close` reports what went wrong while decoding."""

    def __init__(self, path: Path, chunks: Iterable[bytes]) -> None:
        self.path = path
        self._chunks = chunks
        self._stop = threading.Event()
        self._error: BaseException | None = None
        os.mkfifo(path)
        self._thread = threading.Thread(target=self._run, name=f"feed {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the feed and raise its error, if it had one."""
        self._stop.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            pipe = self._open()
            if pipe is None:
                return
            try:
                for chunk in self._chunks:
                    self._write(pipe, chunk)
            finally:
                os.close(pipe)
        except BrokenPipeError:
            pass  # the reader gave up first and has its own error
        except BaseException as error:  # noqa: BLE001 - handed to `close`, in the reader's thread
            self._error = error

    def _open(self) -> int | None:
        """Wait for a reader without getting stuck where none ever comes."""
        while not self._stop.is_set():
            try:
                pipe = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                time.sleep(0.001)
                continue
            os.set_blocking(pipe, True)
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_SIZE)
            return pipe
        return None

    @staticmethod
    def _write(pipe: int, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(pipe, view) :]
