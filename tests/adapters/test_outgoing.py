"""Outgoing HTTP: whether a request left, and where it may go. With real sockets and real TLS."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter

from adapters import outgoing
from adapters.outgoing import led_inside, never_left, session

TIMEOUT = (0.2, 0.2)
Behaviour = Callable[[socket.socket], None]


@contextmanager
def server(behaviour: Behaviour) -> Iterator[int]:
    """A server that does one thing with each connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        behaviour(connection)
                    except OSError:  # the client hung up
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def answer(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def hang_up(connection: socket.socket) -> None:
    connection.recv(65536)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


def over_tls(certificate: Path, behaviour: Behaviour) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            behaviour(wrapped)

    return serve


def failure(url: str, *, public_only: bool = False, verify: str | bool = True) -> Exception:
    with session(public_only=public_only) as web, pytest.raises(OSError) as caught:  # noqa: PT011 - told apart below
        web.get(url, timeout=TIMEOUT, verify=verify)
    return caught.value


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert never_left(failure(f"http://127.0.0.1:{port}"))
        assert never_left(failure(f"https://127.0.0.1:{port}"))


def test_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert never_left(failure("https://nobody.example"))


def test_not_a_tls_server() -> None:
    with server(answer) as port:
        assert never_left(failure(f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("behaviour", [hang, hang_up], ids=["hangs", "hangs up"])
def test_the_handshake_is_cut_short(behaviour: Behaviour) -> None:
    with server(behaviour) as port:
        assert never_left(failure(f"https://127.0.0.1:{port}"))


def test_a_certificate_that_nobody_trusts(certificate: Path) -> None:
    with server(over_tls(certificate, answer)) as port:
        assert never_left(failure(f"https://127.0.0.1:{port}"))


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert never_left(failure("https://api.example.com"))


def test_no_ca_bundle() -> None:
    assert never_left(failure("https://127.0.0.1:1", verify="/nowhere/ca.pem"))


@pytest.mark.parametrize("behaviour", [hang, hang_up], ids=["hangs", "hangs up"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_cut_short_has_left(scheme: str, behaviour: Behaviour, certificate: Path) -> None:
    wrapped = behaviour if scheme == "http" else over_tls(certificate, behaviour)
    with server(wrapped) as port:
        assert not never_left(failure(f"{scheme}://127.0.0.1:{port}", verify=str(certificate)))


def test_a_session_closed_meanwhile() -> None:
    with session() as web, server(answer) as port:
        url = f"http://127.0.0.1:{port}"
        web.get(url, timeout=TIMEOUT)
        adapter = web.adapters["http://"]
        assert isinstance(adapter, HTTPAdapter)
        for key in adapter.poolmanager.pools.keys():  # noqa: SIM118 - it is no dict
            adapter.poolmanager.pools[key].close()  # as when a thread had just taken it
        with pytest.raises(requests.ConnectionError) as caught:
            web.get(url, timeout=TIMEOUT)
        assert never_left(caught.value)


def test_a_trusted_certificate_works(certificate: Path) -> None:
    with server(over_tls(certificate, answer)) as port, session() as web:
        assert web.get(f"https://127.0.0.1:{port}", timeout=TIMEOUT, verify=str(certificate)).text == "ok"


def test_a_public_session_hangs_up_on_what_is_inside(certificate: Path) -> None:
    asked = []

    def remember(connection: socket.socket) -> None:
        if connection.recv(65536):
            asked.append(1)

    with server(over_tls(certificate, remember)) as port:
        error = failure(f"https://127.0.0.1:{port}", public_only=True, verify=str(certificate))
        assert led_inside(error)
        assert never_left(error)
        assert not led_inside(failure(f"https://127.0.0.1:{port}", public_only=True))  # it got no so far
    assert asked == []


def test_a_public_session_speaks_https_alone() -> None:
    with server(answer) as port:
        assert isinstance(
            failure(f"http://127.0.0.1:{port}", public_only=True), requests.exceptions.InvalidSchema
        )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("192.168.0.1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert outgoing._is_public(address) is public
