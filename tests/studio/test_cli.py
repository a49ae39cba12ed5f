"""The command itself: how it begins, what it refuses, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from lowerbound.cli import main


def test_help_tells_of_runs(capsys: Any) -> None:
    main(["studio", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "RUNS Runs, and folders with runs below them" in said
    for flag in ("--port", "--host", "--no-browser"):
        assert flag in said


@pytest.mark.parametrize("wrong", ["no/such/folder", "file"])
def test_a_wrong_folder_is_one_line(
    tmp_path: Path, monkeypatch: Any, capsys: Any, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["studio", wrong, "--no-browser"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and not said.out
    assert wrong in said.err and "pass runs" in said.err


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["studio", str(tmp_path), "--no-browser", "--port", port]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: cannot listen at 127.0.0.1:{port}") and said.count("\n") == 1
    assert main(["studio", str(tmp_path), "--port", "70000"]) == 2
    assert "--port" in capsys.readouterr().err


def test_a_host_that_is_none_is_one_line(tmp_path: Path, capsys: Any) -> None:
    assert main(["studio", str(tmp_path), "--no-browser", "--host", "no such host"]) == 2
    assert "pass another --port or --host" in " ".join(capsys.readouterr().err.split())


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["studio", str(tmp_path), "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert "pip install 'lowerbound[studio]'" in said and said.count("\n") == 1


def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    """Within two seconds and with code 0, also while a page polls."""
    command = [sys.executable, "-m", "lowerbound", "studio", "--port", "0", "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.startswith("studio at http://127.0.0.1:") and "(Ctrl-C ends it)" in first
    address = first.split()[2]
    with urlopen(f"{address}api/runs") as reply:
        assert reply.read() == b"[]"
    where = address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((where[0], int(where[1]))) as open_still:
        open_still.sendall(b"GET /api/jobs HTTP/1.1\r\nHost: localhost\r\n")  # and no end
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        code = process.wait(20)
        took = time.monotonic() - begun
    process.stdout.close()
    assert (code, said) == (0, "") and took < 2
    assert not list(tmp_path.iterdir())  # nothing is written before something is done
