"""nginx in front of a server under test: over HTTP/2, with buffering on, or with everything as it should be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cluster import Process, free_port, listening, program

CONF = """
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    {listen}
    location / {{
      proxy_pass {upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_http_version 1.1;
      proxy_read_timeout 60s;
      {streams}
    }}
    location {prefix}/socket {{
      proxy_pass {upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""
# Buffering alone lets through what comes in chunks; what compresses as well waits until there is enough of it.
BUFFERED = (
    "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; "
    "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;"
)


@contextmanager
def nginx(folder: Path, upstream: str, *, buffered: bool = False, http2: bool = False) -> Iterator[str]:
    """Run nginx in front of `upstream`; yields its address."""
    port = free_port()
    listen = f"listen 127.0.0.1:{port};"
    if http2:
        subject = ["-subj", "/CN=127.0.0.1", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
        command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        listen = f"listen 127.0.0.1:{port} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;"
    streams = BUFFERED if buffered else ""
    (folder / "nginx.conf").write_text(
        CONF.format(listen=listen, upstream=upstream, prefix="/_rt", streams=streams), encoding="utf-8"
    )
    with Process(program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr") as server:
        listening(port, server)
        yield f"http{'s' if http2 else ''}://127.0.0.1:{port}"
