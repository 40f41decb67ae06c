"""The shell in which the commands of a page are run, one after the other, as by a reader."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

# Commands come by descriptor 3, each with a zero byte at its end: what they start has no standard input. What a command
# has printed ends with its exit code between two separators.
_LOOP = r"""
exec 3<&0 </dev/null
status=0
again() { return "$status"; }
while IFS= read -r -d '' -u 3 command; do
  again  # $? is that of the command before
  eval "$command"
  status=$?
  printf '\036%d\036' "$status"
done
"""
_SEPARATOR = b"\x1e"


class Shell:
    """Ends with all that it has started in the background."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "-c", _LOOP],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What it printed, on both of its outputs, and its exit code."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(command.encode() + b"\0")
        self._process.stdin.flush()
        printed = b""
        while printed.count(_SEPARATOR) < 2:
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise RuntimeError(f"the shell ended at '{command}', after {printed.decode(errors='replace')}")
            printed += more
        text, code, _ = printed.split(_SEPARATOR)
        return text.decode(), int(code)

    def write(self, name: str, text: str) -> Path:
        """A file where the shell is."""
        folder, _ = self.run("pwd")
        path = Path(folder.strip()) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
