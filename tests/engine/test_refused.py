"""Engines that cannot be used: one sentence with what, where and what to do, and nothing is started instead."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import User, errors

pytestmark = pytest.mark.engine
ENGINE = "/var/run/docker.sock"


def refusal(user: User) -> str:
    """What it said, once; nothing was started."""
    user.write_gated()
    result = user.run()
    assert result.returncode == 3, result.stderr
    assert result.stdout == ""
    assert "runs" not in result.stderr
    (error,) = errors(result.stderr)
    assert user.processes() == []
    return error


def test_without_a_socket(user: User) -> None:
    user.host = f"unix://{user.runtime}/no.sock"
    error = refusal(user)
    assert f"no Docker engine at {user.runtime}/no.sock (no such socket)" in error
    assert "sudo systemctl start docker" in error


def test_with_a_socket_that_nobody_listens_at(user: User) -> None:
    path = user.runtime / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    user.host = f"unix://{path}"
    error = refusal(user)
    assert f"the Docker engine at {path} is not running" in error and "sudo systemctl start docker" in error


def test_with_a_file_that_is_no_socket(user: User) -> None:
    path = user.runtime / "file"
    path.touch()
    user.host = f"unix://{path}"
    assert "correct DOCKER_HOST" in refusal(user) or "is not running" in refusal(user)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_without_the_right_to_use_it(user: User) -> None:
    user.uid = 1000
    for path in (user.folder, user.runtime):
        os.chown(path, user.uid, user.uid)
    error = refusal(user)
    assert f"may not use the Docker engine at {ENGINE}" in error
    assert "usermod -aG docker" in error


@contextmanager
def older(path: Path) -> Iterator[None]:
    """The engine, behind a door at `path` where it announces an older API."""

    def pass_on(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine:
            engine.connect(ENGINE)
            back = threading.Thread(target=answer, args=(engine, client))
            back.start()
            while data := client.recv(65536):
                engine.sendall(data)
            engine.shutdown(socket.SHUT_WR)
            back.join()

    def answer(engine: socket.socket, client: socket.socket) -> None:
        while data := engine.recv(65536):
            client.sendall(re.sub(rb"Api-Version: 1\.\d+", b"Api-Version: 1.40", data))
        client.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            client, _ = door.accept()
            if stopping.is_set():
                client.close()
                return
            threading.Thread(target=pass_on, args=(client,), daemon=True).start()

    stopping = threading.Event()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield
        finally:
            stopping.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
            server.join()


def test_with_an_old_one(user: User) -> None:
    path = user.runtime / "old.sock"
    user.host = f"unix://{path}"
    with older(path):
        error = refusal(user)
    assert f"the Docker engine at {path} is too old" in error
    assert "install Docker Engine 20.10 or newer" in error
