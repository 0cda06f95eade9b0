"""nginx in front: with TLS and HTTP/2 as it should be, and with each of the settings that spoil streams."""

from __future__ import annotations

import json
import re
import secrets
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from kinds import KINDS
from visitor import Visitor

from htmx_rt import protocol
from htmx_rt.__main__ import main
from tests.cluster import Process, free_port, listening, program

pytestmark = pytest.mark.flaky(reruns=1)  # what is measured depends on how busy the machine is
SECRET = "a secret of thirty-two bytes or more"  # of board_app
FORWARDED = """
    proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
"""
KEPT = 'proxy_set_header Connection "";'
UPGRADED = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
TLS = "ssl http2"
CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  upstream app {{ server {app}; keepalive 8; }}
  server {{ listen 127.0.0.1:{port} {tls}; {server} location / {{ proxy_pass http://app; {location} }} }}
}}
"""
Behind = Callable[..., str]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key, and a certificate for 127.0.0.1 that nobody vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def behind(certificate: Path, tmp_path: Path) -> Iterator[Behind]:
    """`behind(location=…)` is the address of nginx in front of an app."""
    with ExitStack() as stack:

        def behind(
            *, location: str = FORWARDED + UPGRADED, server: str = "", tls: str = "", flags: str | None = None
        ) -> str:
            env = {"RT_NAME": f"t{secrets.token_hex(4)}"}
            kind = KINDS["uvicorn"]
            process, address = kind.start("board_app:app", env, flags=flags or f"{kind.flags} --timeout-keep-alive 75")
            stack.enter_context(process)
            port = free_port()
            for name in ("cert.pem", "key.pem"):
                (tmp_path / name).write_bytes((certificate / name).read_bytes())
            app = address.removeprefix("http://")
            conf = CONF.format(folder=tmp_path, app=app, port=port, tls=tls, server=server, location=location)
            (tmp_path / "nginx.conf").write_text(conf)
            nginx = Process(program("nginx"), "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr")
            stack.enter_context(nginx)
            listening(port, nginx)
            return f"{'https' if tls else 'http'}://127.0.0.1:{port}"

        yield behind


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`look(address, …)` is what the doctor finds, by what it is about."""
    monkeypatch.setenv("RT_SECRET", SECRET)

    def look(address: str, *arguments: str) -> dict[str, Any]:
        main(["doctor", address, *(arguments or ("--quick",)), "--insecure", "--json"])
        return {finding["about"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}

    return look


Looked = Callable[..., dict[str, Any]]


def bad(found: dict[str, Any]) -> dict[str, str]:
    return {about: one["level"] for about, one in found.items() if one["level"] in ("warning", "problem")}


def test_tls_and_http2_as_the_documentation_has_it(behind: Behind, look: Looked, certificate: Path) -> None:
    address = behind(tls=TLS)
    found = look(address)
    assert bad(found) == {}
    assert "HTTP/2" in found["http"]["text"]
    assert "nginx in front of uvicorn httptools" in found["server"]["text"]
    assert "Secure and bound to this host" in found["cookie"]["text"]
    assert "brings the stream" in found["websocket"]["text"]
    assert found["forwarded"]["level"] == "ok"
    with Visitor(address) as ada:
        ada.http.close()
        trust = ssl.create_default_context(cafile=certificate / "cert.pem")
        ada.http = httpx.Client(base_url=address, http2=True, verify=trust, timeout=10, trust_env=False)
        with ada.stream(ada.get("/")) as stream:
            assert stream.response.http_version == "HTTP/2"
            stream.checkpoint()
            for _ in range(3):
                ada.post("/publish", {"count": 20})
            assert [stream.event(protocol.OPS).data["o"] for _ in range(60)] == list(range(1, 61))


def test_a_certificate_that_nobody_vouches_for(
    behind: Behind, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = behind(tls=TLS)
    assert main(["doctor", address, "--quick"]) == 2
    assert "--insecure" in capsys.readouterr().out


def test_tls_without_http2(behind: Behind, look: Looked) -> None:
    found = look(behind(tls="ssl"))
    assert bad(found) == {"http": "warning"}
    assert "http2 on;" in found["http"]["cure"]


def test_buffering(behind: Behind, look: Looked) -> None:
    # Alone it lets through what comes in chunks; what is compressed as well waits until there is enough of it.
    spoilt = "proxy_ignore_headers X-Accel-Buffering; proxy_buffering on; gzip on; gzip_types *; gzip_proxied any;"
    found = look(behind(location=FORWARDED + UPGRADED + spoilt + "gzip_min_length 0;"))
    assert bad(found) == {"first byte": "problem", "packed": "problem"}
    assert "proxy_buffering off;" in found["first byte"]["cure"]
    assert "gzip_types" in found["packed"]["cure"]
    # What is not compressed comes through.
    found = look(behind(location=FORWARDED + UPGRADED + "proxy_ignore_headers X-Accel-Buffering; proxy_buffering on;"))
    assert bad(found) == {}


def test_a_short_timeout(behind: Behind, look: Looked) -> None:
    found = look(behind(location=FORWARDED + UPGRADED + "proxy_read_timeout 3s;"), "--seconds", "8")
    assert bad(found) == {"cut": "problem"}
    assert re.search(r"cut after [3-6]\.\d s", found["cut"]["text"])
    assert "proxy_read_timeout 60s;" in found["cut"]["cure"]


def test_a_sign_of_life_comes_through(behind: Behind, look: Looked) -> None:
    found = look(behind(), "--seconds", "17")
    assert bad(found) == {}
    assert "brought its signs of life" in found["cut"]["text"]


def test_compression_does_not_touch_streams(behind: Behind, look: Looked) -> None:
    found = look(behind(server="gzip on; gzip_types text/plain; gzip_proxied any; gzip_min_length 1;"))
    assert bad(found) == {}


def test_compression_of_everything(behind: Behind, look: Looked) -> None:
    found = look(behind(server="gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;"))
    assert found["packed"]["level"] == "problem"
    assert "gzip_types" in found["packed"]["cure"]


def test_no_websockets(behind: Behind, look: Looked) -> None:
    found = look(behind(location=FORWARDED + KEPT))
    assert bad(found) == {"websocket": "warning"}
    assert "proxy_set_header Upgrade $http_upgrade;" in found["websocket"]["cure"]


def test_a_host_that_is_lost(behind: Behind, look: Looked) -> None:
    found = look(behind(location=UPGRADED + "proxy_http_version 1.1; proxy_set_header Host app;"))
    assert found["websocket"]["level"] == "warning"
    assert "proxy_set_header Host $http_host;" in found["websocket"]["cure"]


def test_a_scheme_that_is_lost(behind: Behind, look: Looked) -> None:
    found = look(behind(tls=TLS, location=UPGRADED + "proxy_http_version 1.1; proxy_set_header Host $http_host;"))
    assert found["cookie"]["level"] == "problem"
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in found["cookie"]["cure"]


def test_a_server_that_hangs_up_before_the_proxy_does(behind: Behind, look: Looked) -> None:
    found = look(behind(flags="--timeout-graceful-shutdown 5 --timeout-keep-alive 5"))
    assert bad(found) == {"keep-alive": "warning"}
