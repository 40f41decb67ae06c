"""The C++ extension (python/penstock/_core): nodes::Host for Python. penstock.worker is its only user."""

from typing import Any, Optional

from penstock._local import Loan, Shape, View

class Host:
    def configuration(self) -> dict[str, Any]: ...
    def ready(self, inputs: dict[str, str], outputs: dict[str, str], /) -> None: ...
    def next(self) -> tuple[int, int, Any]: ...
    def acknowledge(self, overhead_ns: int, /) -> None: ...
    def borrow(
        self,
        output: int,
        payload_bytes: int,
        metadata_bytes: int,
        kind: int,
        code: int,
        bits: int,
        shape: Optional[Shape],
        rate: int,
        /,
    ) -> Loan: ...
    def publish(
        self,
        output: int,
        source: Any,
        kind: int,
        code: int,
        bits: int,
        shape: Optional[Shape],
        rate: int,
        time: Optional[int],
        metadata: Optional[bytes],
        /,
    ) -> None: ...
    def drain(self) -> None: ...
    def report_finished(self) -> None: ...
    def report_failed(
        self, phase: str, error: str, message: str, traceback: str, edge: Optional[str], sequence: Optional[int], /
    ) -> None: ...
    def stop_requested(self) -> bool: ...
    def sleep_until(self, monotonic_ns: int, /) -> bool: ...
    def close(self) -> None: ...

MessageView = View

def attach(control_fd: int, language: str, version: str, sdk: str, executable: str, timeout_s: float, /) -> Host: ...
