"""The proxy of `deploy/nginx.conf`, run: what it speaks, what it refuses, what it hands on. Ports and certificate are the test's own."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.certificates import certificate
from tests.ports import held_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
NAME: Final = "kartu.example"
CONSOLE: Final = "console.kartu.example"
BANK: Final = "127.0.0.2"
"""The bank's network, as far as this machine goes."""
PATIENCE: Final = 60.0
SECRET_PATH: Final = "/t?e=00112233445566778899aabbccddeeff&c=0011223344556677"
AROUND: Final = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/start.log notice;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {shipped}
}}
"""


class Echo(BaseHTTPRequestHandler):
    """Stands where `hebat serve` stands, and keeps the heads that it was sent."""

    protocol_version = "HTTP/1.1"
    heads: list[dict[str, str]] = []  # noqa: RUF012  of the whole class, read by the tests

    def do_GET(self) -> None:
        self.heads.append(dict(self.headers.items()))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET  # noqa: N815  the library's name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Answered(NamedTuple):
    """What came back: status and headers."""

    status: int
    headers: http.client.HTTPMessage


def answered(
    line: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answered:
    with closing(line):
        line.request(method, path, body, headers)
        with line.getresponse() as response:
            return Answered(response.status, response.headers)


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy's two doors, the certificate that it shows, and its folder."""

    plain: int
    secure: int
    certificate: Path
    folder: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answered:
        """Over TLS, from an address of this machine, as a client that checks the certificate."""
        line = http.client.HTTPSConnection(
            "127.0.0.1", self.secure, timeout=PATIENCE, context=self.context(), source_address=(source, 0)
        )
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return answered(line, method, path, body, told)

    def plainly(self, path: str, host: str = NAME) -> Answered:
        """Without TLS."""
        line = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=PATIENCE)
        return answered(line, "GET", path, None, {"Host": host})

    def shake(self, context: ssl.SSLContext) -> tuple[str, str]:
        """Version and cipher suite of a handshake; raises ssl.SSLError or ConnectionResetError where there is none."""
        with (
            socket.create_connection(("127.0.0.1", self.secure), PATIENCE) as line,
            context.wrap_socket(line, server_hostname="127.0.0.1") as secured,
        ):
            cipher = secured.cipher()
            assert cipher is not None
            return str(secured.version()), cipher[0]


def configured(folder: Path, plain: int, secure: int, behind: int) -> str:
    """The shipped file, with this test's ports and certificate in the place of an operator's."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    snippet = (DEPLOY / "nginx-snippet.conf").read_text(encoding="utf-8")
    text = re.sub(r"^\s*listen \[::\].*$", "", text, flags=re.MULTILINE)
    for shipped, here in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
        ("127.0.0.1:8460", f"127.0.0.1:{behind}"),
        ("include /etc/nginx/snippets/hebat.conf;", snippet),
        ("/etc/hebat/inside.pem", f"{folder}/inside.pem"),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", f"{folder}/proxy.pem"),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", f"{folder}/proxy.key"),
        ("/var/www/acme", f"{folder}/acme"),
        ("/var/log/nginx/", f"{folder}/"),
        ("allow 10.0.0.0/8;", f"allow {BANK};"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    # Root's workers would be somebody else, who may not look into this test's folder.
    return AROUND.format(folder=folder, shipped=text, user="" if os.geteuid() else "user root;")


@contextmanager
def running(program: str, folder: Path, behind: int) -> Iterator[tuple[int, int]]:
    """nginx until the end of the block: its plain and its secure port."""
    with held_ports(2) as plain:
        secure = plain + 1
        (folder / "nginx.conf").write_text(configured(folder, plain, secure, behind), encoding="utf-8")
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE, text=True
        )
        started = answers(process, secure)
        try:
            if started:
                yield plain, secure
        finally:
            process.terminate()
            said = process.communicate(timeout=PATIENCE)[1]
    assert started, f"nginx did not start: {said}"


def answers(process: subprocess.Popen[str], port: int) -> bool:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("proxy")
    held = certificate(folder, "proxy", "127.0.0.1")
    with (
        behind(certificate(folder, "inside", "127.0.0.1", "localhost")) as port,
        running(program, folder, port) as (plain, secure),
    ):
        yield Proxy(plain, secure, held, folder)


@contextmanager
def behind(pem: Path | None) -> Iterator[int]:
    """What stands where the server stands, over TLS with a certificate, or without: its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_the_proxy_hands_nothing_to_a_server_that_is_not_the_citys_own(tmp_path: Path) -> None:
    """Another's certificate in its place, one for another name, and no TLS at all."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    held = certificate(tmp_path, "proxy", "127.0.0.1")
    certificate(tmp_path, "inside", "127.0.0.1", "localhost")
    nameless, stranger = (
        certificate(tmp_path, "nameless", "127.0.0.1"),
        certificate(tmp_path, "stranger", "127.0.0.1", "localhost"),
    )
    for shown in (stranger, nameless, None):
        if shown is nameless:
            (tmp_path / "inside.pem").write_bytes(nameless.read_bytes())
        before = len(Echo.heads)
        with behind(shown) as port, running(program, tmp_path, port) as (plain, secure):
            assert Proxy(plain, secure, held, tmp_path).ask("/v1/accounts").status == 502
        assert len(Echo.heads) == before, "nothing of the call reached it"


def bounded(proxy: Proxy, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks these versions alone, and takes any cipher suite for it."""
    context = proxy.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = lowest, highest
    return context


@pytest.mark.parametrize(
    ("version", "named"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_the_proxy_speaks_tls_1_2_and_1_3(proxy: Proxy, version: ssl.TLSVersion, named: str) -> None:
    spoken, suite = proxy.shake(bounded(proxy, version, version))
    assert spoken == named
    assert "GCM" in suite or "POLY1305" in suite
    assert suite.startswith(("ECDHE-", "TLS_"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_the_proxy_refuses_older_versions(proxy: Proxy, version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as refused:
        proxy.shake(bounded(proxy, version, version))
    assert "VERSION" in str(refused.value).upper(), "the proxy's own word, not this client's"


@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384"]
)
def test_the_proxy_refuses_suites_without_authenticated_encryption(proxy: Proxy, suite: str) -> None:
    context = bounded(proxy, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as refused:
        proxy.shake(context)
    assert "HANDSHAKE" in str(refused.value).upper()


def test_without_tls_a_person_is_led_to_it_and_a_program_is_refused(proxy: Proxy) -> None:
    for asked, led_to in ((NAME, NAME), (CONSOLE, CONSOLE), ("evil.example", NAME)):
        led = proxy.plainly("/card?l=id", asked)
        assert (led.status, led.headers["location"]) == (308, f"https://{led_to}/card?l=id")
    for path in ("/v1/batches", "/v1/"):
        refused = proxy.plainly(path)
        assert (refused.status, refused.headers["location"]) == (403, None)


def test_an_authority_finds_the_answer_to_its_question_and_nobody_anything_else(proxy: Proxy) -> None:
    """RFC 8555 section 8.3: over port 80, at each name that the certificate is for."""
    told = proxy.folder / "acme" / ".well-known" / "acme-challenge"
    told.mkdir(parents=True)
    (told / "token-1").write_text("token-1.thumbprint", encoding="ascii")
    (proxy.folder / "acme" / "other").write_text("not for anybody", encoding="ascii")
    for host in (NAME, CONSOLE):
        line = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=PATIENCE)
        with closing(line):
            line.request("GET", "/.well-known/acme-challenge/token-1", headers={"Host": host})
            answer = line.getresponse()
            assert (answer.status, answer.read(), answer.headers["content-type"]) == (
                200, b"token-1.thumbprint", "text/plain",
            )  # fmt: skip
        assert proxy.plainly("/.well-known/acme-challenge/token-2", host).status == 404
        assert proxy.plainly("/.well-known/acme-challenge/", host).status in {403, 404}
        assert proxy.plainly("/other", host).status == 308


def test_what_a_caller_writes_about_where_it_comes_from_is_not_handed_on(proxy: Proxy) -> None:
    answer = proxy.ask(
        "/v1/accounts", X_Forwarded_For="203.0.113.9", X_Real_IP="203.0.113.9", X_Forwarded_Proto="http",
        Forwarded="for=203.0.113.9",
    )  # fmt: skip
    assert answer.status == 200
    head = Echo.heads[-1]
    assert (head["X-Forwarded-For"], head["X-Real-IP"]) == ("127.0.0.1", "127.0.0.1")
    assert head["X-Forwarded-Proto"] == "https"
    assert "203.0.113.9" not in str(head)


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
@pytest.mark.parametrize("host", [NAME, CONSOLE])
def test_what_is_for_this_machine_alone_is_not_there_from_outside(proxy: Proxy, path: str, host: str) -> None:
    assert proxy.ask(path, Host=host, source=BANK).status == 404


CONSOLES: Final = ("/staff/sign-in", "/console", "/night", "/console/payments")


@pytest.mark.parametrize("path", CONSOLES)
def test_the_console_is_shut_to_who_is_not_on_the_banks_network(proxy: Proxy, path: str) -> None:
    before = len(Echo.heads)
    assert proxy.ask(path, Host=CONSOLE).status == 403
    assert len(Echo.heads) == before, "nothing of it reached the server"
    assert proxy.ask(path, Host=CONSOLE, source=BANK).status == 200


def test_the_console_has_a_host_of_its_own_and_the_others_do_not_have_it(proxy: Proxy) -> None:
    for path in CONSOLES:
        assert proxy.ask(path, Host=NAME, source=BANK).status == 404
    for path in ("/card", "/v1/accounts", "/t", "/"):
        assert proxy.ask(path, Host=CONSOLE, source=BANK).status == 404
        assert proxy.ask(path, Host=NAME).status == 200


def test_a_body_over_its_bound_is_refused_before_it_came(proxy: Proxy) -> None:
    before = len(Echo.heads)
    assert proxy.ask("/v1/batches", "POST", b"", Content_Length=str(13 << 20)).status == 413
    assert len(Echo.heads) == before


def test_an_address_that_opens_a_page_stands_in_no_file_of_the_proxy(proxy: Proxy) -> None:
    assert proxy.ask(SECRET_PATH).status == 200
    assert proxy.plainly(SECRET_PATH).status == 308
    written = b"".join(path.read_bytes() for path in proxy.folder.rglob("*") if path.is_file())
    assert b"00112233445566778899aabbccddeeff" not in written


def test_the_proxy_does_not_say_which_release_it_is(proxy: Proxy) -> None:
    assert proxy.ask("/health").headers["server"] == "nginx"
