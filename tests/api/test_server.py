"""How the application is run: latency of small answers, bounds of the server."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from api.server import PENDING_SECONDS, listen
from tests.api.plant import Plant
from tests.api.running import running


def test_a_small_answer_does_not_wait_for_an_acknowledgement(plant: Plant) -> None:
    with running(plant.services()) as address:
        client = http.client.HTTPConnection(address, timeout=10)
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            client.request("GET", "/healthz")
            assert client.getresponse().read() == b"ok\n"
            times.append(time.perf_counter() - begun)
        client.close()
    assert min(times) < 0.02  # 0.04 with Nagle's algorithm on


def test_a_peer_that_takes_nothing_is_dropped_by_the_kernel() -> None:
    with listen("127.0.0.1", 0) as bound:
        kept = bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert kept == PENDING_SECONDS * 1000


def test_a_port_in_use_is_an_os_error() -> None:
    with listen("127.0.0.1", 0) as bound:
        bound.listen()
        with pytest.raises(OSError):
            listen("127.0.0.1", bound.getsockname()[1])


def test_the_server_names_neither_itself_nor_its_version(plant: Plant) -> None:
    with running(plant.services()) as address:
        client = http.client.HTTPConnection(address, timeout=10)
        client.request("GET", "/healthz")
        answer = client.getresponse()
        answer.read()
        client.close()
    assert answer.getheader("Server") is None


def test_requests_that_are_not_http_do_not_disturb_the_server(plant: Plant) -> None:
    with running(plant.services()) as address:
        host, _, port = address.partition(":")
        for raw in (
            b"\x16\x03\x01\x00\xa5" + bytes(100),
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\n\r\n",
            b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
            b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n",
        ):
            with socket.create_connection((host, int(port)), timeout=5) as peer:
                peer.sendall(raw)
                answer = peer.recv(100)
                assert answer == b"" or answer.split()[1] in {b"400", b"413", b"404"}, answer
        client = http.client.HTTPConnection(address, timeout=10)
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok\n"
        client.close()
