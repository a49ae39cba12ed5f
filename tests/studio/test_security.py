"""Who is let in, what may come in, and that a run of somebody else's is only looked at."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import pickle
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from lowerbound.errors import LowerboundError
from lowerbound.studio import serve as serving_module
from lowerbound.studio.guard import HEADER, SANDBOX
from lowerbound.studio.jobs import Jobs

MINE = {"X-Lowerbound": "1"}
SECRET = "the secret of this machine"


def ask(
    address: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request, exactly as given: no path is tidied up."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict | list):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    content = body.encode() if isinstance(body, str) else body
    if content is not None:
        headers.setdefault("Content-Length", str(len(content)))
    for name, value in headers.items():
        connection.putheader(name, value)
    with contextlib.closing(connection):
        connection.endheaders(content)
        reply = connection.getresponse()
        return reply.status, {n.lower(): v for n, v in reply.getheaders()}, reply.read()


def raw(address: str, *parts: bytes) -> bytes:
    """What is answered to bytes that no proper client would send."""
    where = urlsplit(address)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as found:
        for part in parts:
            try:
                found.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        answer = b""
        found.settimeout(2)  # a connection that is kept open has nothing more to say
        try:
            while chunk := found.recv(65536):
                answer += chunk
        except (ConnectionResetError, TimeoutError):
            pass
    return answer


@pytest.fixture(scope="module")
def home(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a secret beside the runs, and links in the run that lead to it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.png").write_text(SECRET)
    album = folder / "album"
    album.mkdir()
    (album / "secret.png").write_text(SECRET)
    for name in ("linked", "album-linked"):
        shutil.copytree(runs / "digits", folder / "runs" / name)
    linked = folder / "runs" / "linked"
    (linked / "pictures").mkdir(exist_ok=True)
    (linked / "pictures" / "real.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (linked / "pictures" / "link.png").symlink_to(folder / "secret.png")
    for name in ("report.html", "metrics.jsonl", "evaluation.json"):
        (linked / name).unlink(missing_ok=True)
        (linked / name).symlink_to(folder / "secret.txt")
    shutil.rmtree(folder / "runs" / "album-linked" / "pictures", ignore_errors=True)
    (folder / "runs" / "album-linked" / "pictures").symlink_to(album)
    return folder


@pytest.fixture
def address(home: Path, serving: Callable[..., Any]) -> str:
    return serving([home / "runs"]).address


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/api/run/..%2f..%2fsecret.txt/overview",
        "/api/run/%2e%2e/overview",
        "/api/run/../../secret.txt",
        "/api/run/linked%2f..%2f..%2fsecret/metrics",
        "/api/run/linked/picture/..%2f..%2f..%2fsecret.png",
        "/api/run/linked/picture/..%252f..%252f..%252fsecret.png",
        "/api/run/linked/picture/../../../secret.png",
        "/api/run/linked/picture/..%5c..%5csecret.png",
        "/api/run/linked/picture/link.png",
        "/api/run/linked/picture/real.png%00.png",
        "/api/run/album-linked/picture/secret.png",
        "/api/run/linked/report",
        "/api/run/linked/metrics",
        "/api/run/linked/overview",
        "/api/job/..%2f..%2fsecret.txt/result",
        "/api/job/x/file/..%2f..%2fsecret.txt",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static/%2e%2e/%2e%2e/%2e%2e/pyproject.toml",
        "//etc/passwd",
        "/static//etc/passwd",
    ],
)
def test_no_path_leads_out(address: str, path: str) -> None:
    status, _, body = ask(address, "GET", path)
    assert SECRET.encode() not in body
    assert b"make_app" not in body and b"root:" not in body and b"[project]" not in body
    if "real" not in path and not path.endswith(("/metrics", "/overview")):
        assert status in (400, 404)


def test_what_is_really_there_is_served(address: str) -> None:
    assert ask(address, "GET", "/api/run/linked/picture/real.png")[0] == 200
    assert ask(address, "GET", "/api/run/linked/metrics")[2].startswith(b'{"of":""')
    assert ask(address, "HEAD", "/")[0] == 200


# Other sites


def test_the_page_and_its_answers_have_a_policy(address: str) -> None:
    for path in ("/", "/static/studio.js", "/api/runs", "/api/nothing", "/nothing"):
        _, headers, _ = ask(address, "GET", path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "connect-src 'self'" in policy and "'unsafe-eval'" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, True),
        ({"Origin": "http://evil.org"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "file://"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Host": "evil.org"}, False),
        ({"Host": "evil.org:80"}, False),
        ({"Host": "localhost"}, True),
        ({"Host": "LOCALHOST:8321"}, True),
        ({"Host": "[::1]:8321"}, True),
        ({"Host": "127.0.0.1.evil.org"}, False),
        ({"Host": "localhost@evil.org"}, False),
        ({"Host": "evil.org#@localhost"}, False),
        ({"Host": "localhost.evil.org:8321"}, False),
        ({"Host": ""}, False),
    ],
)
def test_other_sites_are_kept_away(address: str, headers: dict[str, str], let_in: bool) -> None:
    for method in ("GET", "HEAD"):
        assert ask(address, method, "/api/runs", **headers)[0] == (200 if let_in else 403)
    status, _, _ = ask(address, "POST", "/api/run/linked/delete", {}, **MINE, **headers)
    assert status == (400 if let_in else 403)  # 400: it is let in, and not confirmed


def test_two_hosts_are_none(address: str) -> None:
    host = urlsplit(address).netloc.encode()
    request = b"GET /api/runs HTTP/1.1\r\nHost: %s\r\nHost: evil.org\r\nConnection: close\r\n\r\n"
    assert b" 200 " not in raw(address, request % host).split(b"\r\n")[0]


def test_what_changes_something_wants_the_header(address: str) -> None:
    """A form or a picture of another page cannot set it; asking for leave gets none."""
    for path in ("train", "inspect", "compare", "upload", "run/linked/resume", "job/x/stop"):
        for kind in ("text/plain", "application/json", "multipart/form-data"):
            status, _, body = ask(address, "POST", f"/api/{path}", "{}", Content_Type=kind)
            assert status == 403 and HEADER in body.decode().lower()
        assert ask(address, "GET", f"/api/{path}")[0] in (404, 405, 400)
    status, headers, _ = ask(
        address, "OPTIONS", "/api/train", Origin="http://evil.org",
        Access_Control_Request_Headers="x-lowerbound", Access_Control_Request_Method="POST",
    )  # fmt: skip
    assert status == 403 and not [name for name in headers if name.startswith("access-control")]


def test_no_socket_is_opened_to_anybody(address: str) -> None:
    host = urlsplit(address).netloc.encode()
    request = (
        b"GET /api/runs HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Origin: http://evil.org\r\n\r\n" % host
    )
    assert b" 403 " in raw(address, request).split(b"\r\n")[0]


# Who may listen in


def test_elsewhere_only_with_the_token(serving: Callable[..., Any], runs: Path) -> None:
    token = "a-token-of-some-length"
    address = serving([runs], token=token).address
    assert ask(address, "GET", "/api/runs")[0] == 401
    assert ask(address, "GET", "/", Cookie="lowerbound=wrong")[0] == 401
    assert ask(address, "GET", "/?token=wrong")[0] == 401
    assert ask(address, "POST", "/api/upload?name=a.png", "x", **MINE)[0] == 401
    status, headers, _ = ask(address, "GET", f"//evil.org/?token={token}")
    assert status == 303 and headers["location"] == "/"
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    mine = {"Cookie": cookie.split(";")[0], "Host": "this-machine.lan"}
    assert ask(address, "GET", "/api/runs", **mine)[0] == 200
    assert ask(address, "POST", "/api/inspect", {}, **mine)[0] == 403
    assert ask(address, "GET", "/api/runs", Origin="http://evil.org", **mine)[0] == 403


@pytest.mark.parametrize(
    ("host", "family", "wants_token"),
    [
        (None, socket.AF_INET, False),
        ("localhost", socket.AF_INET, False),
        ("0.0.0.0", socket.AF_INET, True),
    ],
)
def test_it_listens_to_this_machine_alone(
    runs: Path, monkeypatch: Any, host: str | None, family: int, wants_token: bool
) -> None:
    import uvicorn

    seen: list[Any] = []

    def run(self: Any, sockets: list[socket.socket]) -> None:
        guard = self.config.app.user_middleware[0].kwargs
        seen.extend([sockets[0].getsockname()[0], guard["token"]])
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    told: list[str] = []
    options: dict[str, Any] = {} if host is None else {"host": host}
    serving_module.serve([runs], port=0, browser=False, started=told.append, **options)
    place, token = seen
    assert place == ("0.0.0.0" if wants_token else "127.0.0.1")
    assert (token is not None) == wants_token == ("?token=" in told[0])
    assert token is None or (len(token) >= 20 and token in told[0])


# What comes in


def test_too_much_is_refused_before_it_is_read(serving: Callable[..., Any], runs: Path) -> None:
    address = serving([runs], most=2**20).address
    for length in (str(2**40), "9" * 400, "-1", "0x10", "²", "1e3"):
        # A `²` is a digit to Python's isdigit, and no number to int().
        head = f"POST /api/upload?name=a.png HTTP/1.1\r\nHost: localhost\r\nX-Lowerbound: 1\r\nContent-Length: {length}\r\n\r\n"  # noqa: E501
        first = raw(address, head.encode("latin-1")).split(b"\r\n")[0]
        assert b" 413 " in first or b" 400 " in first
    # No more than the beginning is sent: who is refused may find the pipe broken while it sends.
    much = {"Content_Length": str(2**20 + 1), **MINE}
    status, _, body = ask(address, "POST", "/api/upload?name=a.png", b"x", **much)
    assert status == 413 and "1 MB" in json.loads(body)["error"]


def test_a_body_without_end_is_cut_off(serving: Callable[..., Any], runs: Path) -> None:
    found = serving([runs], most=2**20)
    head = (
        b"POST /api/upload?name=a.png HTTP/1.1\r\nHost: localhost\r\nX-Lowerbound: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = raw(found.address, head, *[chunk] * 400)
    assert not answer or b" 413 " in answer.split(b"\r\n")[0]
    assert ask(found.address, "GET", "/api/runs")[0] == 200
    assert not found.app.state.studio.uploads._files


def test_a_length_that_lies_leaves_nothing(serving: Callable[..., Any], runs: Path) -> None:
    found = serving([runs])
    where = urlsplit(found.address)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as client:
        client.sendall(
            b"POST /api/upload?name=a.png HTTP/1.1\r\nHost: localhost\r\nX-Lowerbound: 1\r\n"
            b"Content-Length: 1000\r\n\r\nonly this"
        )
    time.sleep(0.2)
    assert ask(found.address, "GET", "/api/runs")[0] == 200
    assert not found.app.state.studio.uploads._files


class Bomb:
    """What runs code when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def malformed(marker: Path) -> dict[str, bytes]:
    array = np.array([Bomb(marker)], dtype=object)
    pickled, archive = io.BytesIO(), io.BytesIO()
    np.save(pickled, array, allow_pickle=True)
    np.savez(archive, data=array)
    return {
        "broken.png": b"\x89PNG\r\n\x1a\n" + os.urandom(64),
        "broken.wav": b"RIFF\xff\xff\xff\xffWAVEfmt " + os.urandom(16),
        "broken.csv": b"\x00\xff\xfe,;\n\x00",
        "short.npy": b"\x93NUMPY\x01\x00",
        "huge.npy": b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9999), }".ljust(117)
        + b"\n",
        "pickled.npy": pickled.getvalue(),
        "raw.npy": pickle.dumps(Bomb(marker)),
        "pickled.npz": archive.getvalue(),
        "nothing.zip": b"PK\x05\x06" + b"\x00" * 18,
        "broken.zip": b"PK\x03\x04" + os.urandom(40),
    }


@pytest.mark.parametrize("name", sorted(malformed(Path())))
def test_malformed_files_are_one_line(studio: Any, tmp_path: Path, name: str) -> None:
    marker = tmp_path / "ran"
    content = malformed(marker)[name]
    status, _, body = ask(studio.address, "POST", f"/api/upload?name={name}", content, **MINE)
    assert status == 200
    upload = {"kind": "upload", "id": json.loads(body)["id"], "name": name}
    for path, asked in (
        ("inspect", {"source": upload}),
        ("run/digits/encode", {"ref": upload, "given": None}),
    ):
        status, _, body = ask(studio.address, "POST", f"/api/{path}", asked, **MINE)
        told = json.loads(body)["error"]
        assert status == 400 and "\n" not in told and told
    assert not marker.exists()


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.py", "a", "a.png.exe", "../a.html", ""])
def test_other_kinds_of_files_are_not_kept(studio: Any, name: str) -> None:
    assert ask(studio.address, "POST", f"/api/upload?name={name}", b"x", **MINE)[0] == 400


@pytest.mark.parametrize(
    "body",
    ["[" * 100_000, "{", "[]", '"text"', "\xff", '{"source": {"kind": "path", "text": 1}}'],
)
def test_odd_json_is_one_line(studio: Any, body: str) -> None:
    content = body.encode("latin-1")
    headers = {"Content_Type": "application/json", **MINE}
    status, _, answer = ask(studio.address, "POST", "/api/inspect", content, **headers)
    assert status == 400 and json.loads(answer)["error"]


@pytest.mark.parametrize(
    "asked",
    [
        {"recipe": "evil.py:make"},
        {"recipe": "../evil"},
        {"source": {"kind": "name", "text": "--help"}},
        {"source": {"kind": "name", "text": "../../etc/passwd"}},
        {"source": {"kind": "path", "text": "/no/such/file"}},
        {"source": {"kind": "upload", "id": "../../etc/passwd"}},
        {"values": {"out": "/tmp/elsewhere"}},
        {"values": {"config": "/tmp/evil.yaml"}},
        {"values": {"recipe": "evil.py:make"}},
        {"values": {"latent_dim": "--out=/tmp/elsewhere"}},
        {"values": {"latent_dim 8 --out": "/tmp/elsewhere"}},
        {"values": {"epochs": ["1"]}},
        {"name": "../elsewhere"},
        {"name": "a/b"},
        {"name": ".hidden"},
        {"name": ""},
    ],
)
def test_a_form_starts_nothing_but_a_training(studio: Any, asked: dict[str, Any]) -> None:
    usual = {"source": {"kind": "name", "text": "digits"}, "recipe": "vae", "values": {}}
    status, _, body = ask(studio.address, "POST", "/api/train", {**usual, **asked}, **MINE)
    assert status == 400 and json.loads(body)["error"]
    assert not json.loads(ask(studio.address, "GET", "/api/jobs")[2])["jobs"]


# Runs of somebody else's


@pytest.fixture
def foreign(runs: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run that names its own file of code, and what that file would write."""
    folder, marker = tmp_path / "runs" / "gift", tmp_path / "ran"
    shutil.copytree(runs / "digits", folder)
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    (folder / "evil.py").write_text(f"{code}def make(data, **options): raise SystemExit\n")
    info = json.loads((folder / "run.json").read_text())
    info["recipe"] = f"{folder / 'evil.py'}:make"
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "report.html").write_text("<script>alert(1)</script>")
    return folder, marker


def test_code_of_a_run_is_never_run(
    serving: Callable[..., Any], foreign: tuple[Path, Path]
) -> None:
    folder, marker = foreign
    found = serving([folder.parent])
    about = json.loads(ask(found.address, "GET", "/api/run/gift/overview")[2])
    assert about["known"] is False and about["bound"]
    for method, path, body in [
        ("GET", "", None),
        ("GET", "/again", None),
        ("POST", "/resume", {}),
        ("POST", "/evaluate", {}),
        ("POST", "/decode", {"codes": [[0, 0]], "given": None}),
        ("POST", "/encode", {"ref": {"kind": "held-out", "number": 0}, "given": None}),
    ]:
        status, _, answer = ask(found.address, method, f"/api/run/gift{path}", body, **MINE)
        assert status == 400, path
        assert "\n" not in json.loads(answer)["error"]
    ask(found.address, "GET", "/api/run/gift/snapshots?draw=yes")
    job = json.loads(ask(found.address, "POST", "/api/run/gift/diagnose", {}, **MINE)[2])
    while (told := json.loads(ask(found.address, "GET", f"/api/job/{job['id']}")[2]))[
        "state"
    ] == "running":
        time.sleep(0.2)
    assert told["state"] in ("done", "failed")
    assert not marker.exists()


def test_a_report_stands_in_a_box(
    serving: Callable[..., Any], foreign: tuple[Path, Path], page: Any
) -> None:
    address = serving([foreign[0].parent]).address
    _, headers, _ = ask(address, "GET", "/api/run/gift/report")
    assert headers["content-security-policy"] == SANDBOX
    assert SANDBOX.startswith("sandbox;") and "script" not in SANDBOX
    opened: list[str] = []
    page.on("dialog", lambda dialog: opened.append(dialog.message))
    page.goto(f"{address}api/run/gift/report")
    assert not opened and page.evaluate("self.origin") == "null"
    page.wrong.clear()  # the browser says that it ran no script


def test_a_module_beside_the_runs_is_not_imported(tmp_path: Path, monkeypatch: Any) -> None:
    """A downloaded folder may hold a json.py; work that is started in it takes Python's own."""
    marker = tmp_path / "ran"
    for name in ("json", "lowerbound", "torch", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    jobs = Jobs(lambda: tmp_path)
    job = jobs.start("evaluate", ["recipes", "--json"], shown="")
    job.process.wait(60)
    said, state = job.said(), job.state
    jobs.close()
    assert state == "done" and "}" in said[-1] and not marker.exists()


def test_a_description_may_hold_anything(serving: Callable[..., Any], tmp_path: Path) -> None:
    """Numbers that are none, texts where numbers belong, a fifo: each shows as corrupt."""
    root = tmp_path / "runs"
    strange = {
        "list": "[]",
        "number": "1",
        "half": '{"recipe": "vae"',
        "empty": "",
        "step": '{"recipe": "vae", "data": {"spec": {}}, "status": {"step": "many"}}',
        "large": '{"recipe": "vae", "data": {"spec": {}}, "status": {"step": 1e999}}',
        "nested": '{"recipe": "vae", "data": {"spec": {"train": {}}}, "training": 3, "status": 4}',
        "nan": '{"recipe": "vae", "data": {"spec": {}}, "status": {"seconds": NaN}}',
    }
    for name, text in strange.items():
        (root / name).mkdir(parents=True)
        (root / name / "run.json").write_text(text)
    (root / "page").mkdir()
    (root / "page" / "run.json").write_text(
        json.dumps(
            {
                "recipe": "<img src=x onerror=alert(1)>",
                "data": {"spec": {"name": "<script>alert(1)</script>"}},
                "status": {"reason": "failed", "error": "<b>bold</b>"},
            }
        )
    )
    os.mkfifo(root / "page" / "metrics.jsonl")
    address = serving([root]).address
    status, _, body = ask(address, "GET", "/api/runs")
    states = {each["id"]: each["state"] for each in json.loads(body)}
    assert status == 200 and set(states) == {*strange, "page"}
    assert [states[name] for name in ("list", "number", "half", "empty", "step", "large")] == [
        "corrupt"
    ] * 6
    for run in states:
        assert ask(address, "GET", f"/api/run/{run}/overview")[0] == 200
        assert ask(address, "GET", f"/api/run/{run}/metrics")[0] == 200
        assert ask(address, "GET", f"/api/run/{run}")[0] == 400


def test_texts_of_a_run_are_text(serving: Callable[..., Any], tmp_path: Path, page: Any) -> None:
    root = tmp_path / "runs"
    name = "<img src=x onerror=alert(1)>"
    (root / name).mkdir(parents=True)
    info = {
        "recipe": name,
        "data": {"spec": {"name": name}, "source": name},
        "status": {"reason": "failed", "error": name},
    }
    (root / name / "run.json").write_text(json.dumps(info))
    page.on("dialog", lambda dialog: page.wrong.append(dialog.message))
    page.goto(serving([root]).address)
    page.get_by_role("heading", name=name).wait_for()
    page.get_by_role("link", name=name).last.click()
    page.get_by_role("heading", level=1, name=name).wait_for()
    assert page.locator("main img").count() == 0


def test_the_first_folder_must_be_one(tmp_path: Path) -> None:
    from lowerbound.studio.folder import Folder

    (tmp_path / "file").touch()
    for wrong in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(LowerboundError, match="pass runs"):
            Folder([wrong])


def test_python_is_started_without_its_folder() -> None:
    from lowerbound.studio.jobs import PYTHON

    assert PYTHON[0] == sys.executable and "-P" in PYTHON
