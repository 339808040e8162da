"""The proxies that are measured, each as a command that listens on a port in front of an upstream on loopback."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/{name}b;
  proxy_temp_path {folder}/{name}p; fastcgi_temp_path {folder}/{name}f; uwsgi_temp_path {folder}/{name}u;
  scgi_temp_path {folder}/{name}s;
  {http}
}}
"""
UPSTREAM = """
  server {{
    listen 127.0.0.1:{port} backlog=4096; root {folder}/www; sendfile on; tcp_nopush on; open_file_cache max=10;
    location = /13 {{ default_type text/plain; return 200 "Hello, world!"; }}
    location = /differ {{ default_type text/plain; add_header X-Number $request_id; return 200 "Hello, world!"; }}
  }}
"""
PROXY = """
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_certificate {folder}/tls.crt; ssl_certificate_key {folder}/tls.key;
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_pass http://u; }}
  }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:{port} backlog 4096
  bind 127.0.0.1:{tls} ssl crt {folder}/tls.pem backlog 4096
  default_backend b
backend b
  server s 127.0.0.1:{upstream}
"""


def prepare(folder: Path) -> None:
    """Files to serve, a certificate, and the Go proxy."""
    www = folder / "www"
    www.mkdir()
    (www / "10k").write_bytes(b"x" * 10_240)
    (www / "1m").write_bytes(b"x" * 1_048_576)
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    key, chain = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        ["openssl", *arguments.split(), "-keyout", key, "-out", chain], check=True, capture_output=True, timeout=60
    )
    (folder / "tls.pem").write_bytes(chain.read_bytes() + key.read_bytes())
    subprocess.run(["go", "build", "-o", folder / "goproxy", "."], cwd=HERE / "go", check=True, timeout=300)


def upstream(folder: Path, port: int) -> list[str]:
    return _nginx(folder, "upstream", UPSTREAM.format(folder=folder, port=port))


def commands(folder: Path, upstream_port: int) -> dict[str, tuple[list[str], int, int]]:
    """Name to command, port and TLS port (0: none)."""
    tls = [str(folder / "tls.crt"), str(folder / "tls.key")]
    python, up = sys.executable, str(upstream_port)
    haproxy = folder / "haproxy.cfg"
    haproxy.write_text(HAPROXY.format(folder=folder, port=18830, tls=18831, upstream=up))
    return {
        "kubewick": ([python, str(HERE / "ours.py"), "18810", up, "1", *tls], 18810, 18811),
        "kubewick, 5,000 functions": ([python, str(HERE / "ours.py"), "18812", up, "5000", *tls], 18812, 18813),
        "nginx": (
            _nginx(folder, "proxy", PROXY.format(folder=folder, port=18820, tls=18821, upstream=up)),
            18820,
            18821,
        ),
        "HAProxy": (["haproxy", "-db", "-f", str(haproxy)], 18830, 18831),
        "Go ReverseProxy": (
            ["env", "GOMAXPROCS=1", str(folder / "goproxy"), "127.0.0.1:18840", f"127.0.0.1:{up}"],
            18840,
            0,
        ),
        "aiohttp": ([python, str(HERE / "aiohttp_proxy.py"), "18850", up], 18850, 0),
    }


def _nginx(folder: Path, name: str, http: str) -> list[str]:
    path = folder / f"{name}.conf"
    path.write_text(NGINX.format(folder=folder, name=name, http=http))
    return ["nginx", "-c", str(path)]
