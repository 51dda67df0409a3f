"""The guarded POST against real servers that misbehave, and hosts spelt to deceive."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import resource
import socket
import time
from pathlib import Path

import pytest
from servers import (
    Behaviour,
    Handler,
    Reader,
    Request,
    Writer,
    answering,
    certificate,
    forever,
    once,
    read_request,
    reset,
    response,
    serving,
)
from yarl import URL

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.errors import AddressForbidden, ConfigurationError
from airflow_outreach_provider.net.webhook import (
    EXCERPT_BYTES,
    Target,
    WebhookAnswer,
    WebhookClient,
    WebhookFailed,
    environment_proxy,
    parse_url,
)

LOOPBACK = parse_networks("127.0.0.0/8 ::1/128")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(behave: Behaviour, *, timeout: float = 5.0) -> WebhookAnswer:
    return post_to(once(behave), timeout=timeout)


def post_to(handler: Handler, *, timeout: float = 5.0, path: str = "/hook") -> WebhookAnswer:
    async def run() -> WebhookAnswer:
        async with serving(handler) as port, WebhookClient() as client:
            target = Target(
                parse_url(f"http://127.0.0.1:{port}{path}"), timeout=timeout, allow_networks=LOOPBACK
            )
            return await client.send(target, b'{"a": 1}', {"content-type": "application/json"})

    return asyncio.run(run())


def test_the_bytes_arrive_as_they_are_and_the_answer_comes_back() -> None:
    """Body and headers reach the endpoint unchanged; status, excerpt and latency come back."""
    seen: list[Request] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\nb\x00\xff\x1bsy")

    answer = post_to(handler, path="/hook?key=%2Fa&b=ü")
    head, body = seen[0].head, seen[0].body
    assert body == b'{"a": 1}'
    assert head.startswith(b"POST /hook?key=/a&b=%C3%BC HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:" in head
    assert (answer.status, answer.retry_after, answer.excerpt) == (503, "7", "b\ufffd\ufffd\ufffdsy")
    assert 0 <= answer.latency_ms < 5000


@pytest.mark.parametrize("place", ["message", "target"])
@pytest.mark.parametrize("value", ["a\r\nX-Smuggled: 1", "a\nb", "a\x00b"])
def test_a_header_cannot_bring_another_one_along(place: str, value: str) -> None:
    """A control character in a header fails the request, and nothing of it reaches the endpoint."""
    seen: list[bytes] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader)).head)
        writer.write(OK)

    async def run() -> None:
        async with serving(handler) as port, WebhookClient() as client:
            url, bad = parse_url(f"http://127.0.0.1:{port}/"), {"X-Id": value}
            target = Target(url, headers=bad if place == "target" else {}, allow_networks=LOOPBACK)
            await client.send(target, b"{}", bad if place == "message" else {})

    with pytest.raises(WebhookFailed):
        asyncio.run(run())
    assert not seen


def test_the_messages_headers_are_its_own() -> None:
    """On one connection each message carries its own headers and the endpoint's, once each, with one length."""
    seen: list[list[bytes]] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        while True:
            head = (await read_request(reader)).head
            seen.append(head.lower().split(b"\r\n")[1:-2])
            writer.write(OK)

    async def run() -> None:
        async with serving(handler) as port, WebhookClient() as client:
            url = parse_url(f"http://127.0.0.1:{port}/")
            target = Target(url, headers={"X-Key": "k", "user-agent": "mine"}, allow_networks=LOOPBACK)
            for n in range(2):
                await client.send(target, b"{}", {"webhook-id": f"m{n}"})

    asyncio.run(run())
    for n, lines in enumerate(seen):
        names = [line.partition(b":")[0] for line in lines]
        assert len(names) == len(set(names))
        assert {b"webhook-id: m%d" % n, b"x-key: k", b"user-agent: mine", b"content-length: 2"} <= set(lines)
    assert len(seen) == 2


@pytest.mark.parametrize("through", ["the raw line", "a session"])
def test_any_method_goes_to_any_address_of_the_host(through: str) -> None:
    """Method, path and query are the request's own, over one prepared connection; what is encoded stays so."""
    seen: list[str] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append((await read_request(reader)).line)
            writer.write(OK)

    async def run() -> None:
        # A header that sets the framing takes the way through aiohttp's session.
        own = {"Expect": ""} if through == "a session" else {}
        async with serving(handler) as port, WebhookClient() as client:
            target = Target(parse_url(f"http://127.0.0.1:{port}/a?k=1"), headers=own, allow_networks=LOOPBACK)
            for method, path in (("PATCH", "/a/x%2Fy%40z?k=1&q=%26"), ("DELETE", "/b"), ("PUT", "/a?k=1")):
                url = URL(f"http://127.0.0.1:{port}{path}", encoded=True)
                await client.send(target, b"{}", {}, method=method, url=url)

    asyncio.run(run())
    assert seen == ["PATCH /a/x%2Fy%40z?k=1&q=%26 HTTP/1.1", "DELETE /b HTTP/1.1", "PUT /a?k=1 HTTP/1.1"]


@pytest.mark.parametrize("url", ["http://127.0.0.2/a", "https://127.0.0.1/a", "http://127.0.0.1:1/a"])
def test_a_request_does_not_leave_its_endpoints_host(url: str) -> None:
    """Another host, scheme or port than the endpoint's is refused before anything is dialled."""

    async def run() -> None:
        async with WebhookClient() as client:
            target = Target(parse_url("http://127.0.0.1/"), allow_networks=LOOPBACK)
            await client.send(target, b"", {}, url=URL(url))

    with pytest.raises(ConfigurationError, match="leave its endpoint's host"):
        asyncio.run(run())


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """A 302 to an internal address comes back as a 302; nothing is dialled."""
    answer = post(
        answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    )
    assert answer.status == 302


SLOW_AND_BROKEN = {
    "slow-loris headers": (forever(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.02), "within 0.3 s"),
    "slow-loris body": (
        forever(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"a", 0.02),
        "within 0.3 s",
    ),
    "silence": (answering(b"", pause=5), "within 0.3 s"),
    "endless 100 Continue": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "within 0.3 s"),
    "closed without an answer": (answering(b""), "closed the connection"),
    "cut off in its body": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), "broke off"),
    "not HTTP": (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "not valid HTTP"),
    "broken chunks": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        "broke off|not valid",
    ),
    "two lengths": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        "not valid HTTP",
    ),
    "a huge header": (
        answering(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 500_000 + b"\r\n\r\n"),
        "not valid HTTP",
    ),
    "endless headers": (
        forever(b"HTTP/1.1 200 OK\r\n", b"X-Abcdefgh: ijklmnop\r\n" * 500),
        "not valid|within 0.3 s",
    ),
    "an endless header": (forever(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 5000), "not valid HTTP|within 0.3 s"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_AND_BROKEN)
def test_a_misbehaving_endpoint_costs_little_and_says_what_was_wrong(name: str) -> None:
    """Each way to hang, break or flood ends within the deadline, in bounded memory, with a clear error."""
    behave, words = SLOW_AND_BROKEN[name]
    started, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WebhookFailed, match=words):
        post(behave, timeout=0.3)
    assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 60_000  # KiB


def test_a_reset_connection_is_a_failure() -> None:
    """An RST in place of an answer is reported, not raised as something foreign."""

    async def handler(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        reset(writer)

    with pytest.raises(WebhookFailed, match=r"reset|closed"):
        post_to(handler)


def test_nobody_there_is_a_failure() -> None:
    """A refused connection names host and port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def run() -> None:
            async with WebhookClient() as client:
                await client.send(
                    Target(parse_url(f"http://127.0.0.1:{port}/"), allow_networks=LOOPBACK), b"", {}
                )

        with pytest.raises(WebhookFailed, match=rf"no connection to 127.0.0.1:{port}"):
            asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_no_more_of_an_answer_is_kept_than_4_kb(encoding: str) -> None:
    """An endless body is cut off, and a gzip bomb of 200 MB unpacks to 4 KB, in bounded memory and time."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding.encode() + b"\r\n\r\n"
    bomb = gzip.compress(b"a" * 200_000_000, compresslevel=1)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    answer = post(forever(head, b"a" * 10_000) if encoding == "identity" else answering(head, bomb))
    assert answer.status == 200
    assert answer.excerpt == "a" * EXCERPT_BYTES
    assert time.monotonic() - started < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB


@pytest.mark.parametrize(
    ("encoding", "words"), [("gzip", "not what its Content-Encoding says"), ("br", "packed with br")]
)
def test_an_answer_that_cannot_be_unpacked_keeps_its_status(encoding: str, words: str) -> None:
    """What the body is packed with, rightly or wrongly, does not change the outcome."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 4\r\n\r\n".encode()
    answer = post(answering(head + b"junk"))
    assert answer.status == 200
    assert words in answer.excerpt


SAID = {"id": 7, "name": "Zo\u00eb\u00a0M\u00fcller \U0001f469\u200d\U0001f4bb", "list": [{"ok": True}, None]}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_in_an_answer_stays_what_it_says(newline: str, mark: str) -> None:
    """With line ends and a byte order mark as Windows writes them, and with blanks and emoji that a name may hold."""
    body = (mark + json.dumps(SAID, indent=2, ensure_ascii=False).replace("\n", newline)).encode()
    excerpt = post(answering(response(200, body))).excerpt
    assert json.loads(excerpt) == SAID
    assert "\r" not in excerpt


def test_what_spoils_a_terminal_is_not_kept() -> None:
    """Neither what moves its cursor nor what turns its text around, nor what no database stores."""
    spoils = "\x00\x07\x08\x1b\x7f\x85\x9b\u2028\u202e\u2066"
    assert post(answering(response(200, spoils.encode()))).excerpt == "\ufffd" * len(spoils)


# Every one of these reaches this machine, or its metadata service, when dialled.
DISGUISES = [
    *(
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
    ),
    *("localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *(
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[64:ff9b::127.0.0.1]",
        "169.254.169.254",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
    ),
    *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "lOcAlHoSt", "0x7f.0x0.0x0.0x1"),
]


@pytest.mark.parametrize("host", DISGUISES)
def test_every_spelling_of_an_internal_host_is_refused(host: str) -> None:
    """However the host is written, nothing is dialled: it is forbidden, unreadable or does not resolve."""
    dialled = []

    async def handler(reader: Reader, writer: Writer) -> None:
        dialled.append(host)
        writer.write(OK)

    async def run() -> None:
        async with serving(handler) as port, WebhookClient() as client:
            await client.send(Target(parse_url(f"http://{host}:{port}/"), allow_http=True), b"", {})

    with pytest.raises((AddressForbidden, ConfigurationError, WebhookFailed)) as raised:
        asyncio.run(run())
    assert not dialled
    if host.isascii() and not host.endswith("."):  # not every resolver knows the rooted name
        assert raised.type is AddressForbidden


def test_one_forbidden_address_among_good_ones_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a public and an internal address is not called at all."""
    resolving(monkeypatch, ["93.184.215.14", "10.0.0.7"])
    with pytest.raises(AddressForbidden, match=r"10\.0\.0\.7.*RFC 1918"):
        asyncio.run(judged("https://mixed.example/"))


def test_the_address_that_was_judged_is_the_one_that_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that would answer differently the second time is only asked once: no rebinding."""
    calls = resolving(monkeypatch, ["127.0.0.1"], then=["127.0.0.2"])
    seen: list[bytes] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader)).head)
        writer.write(OK)

    async def run() -> int:
        async with serving(handler) as port, WebhookClient() as client:
            allowed = parse_networks("127.0.0.1/32")
            await client.send(
                Target(parse_url(f"http://re.bind.example:{port}/"), allow_networks=allowed), b"", {}
            )
            return port

    port = asyncio.run(run())
    assert len(calls) == 1
    assert f"\r\nHost: re.bind.example:{port}\r\n".encode() in seen[0]


def test_the_next_address_is_dialled_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several judged addresses the first that takes the connection gets the request, once."""
    resolving(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    seen: list[bytes] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        seen.append((await read_request(reader)).head)
        writer.write(OK)

    async def run() -> WebhookAnswer:
        async with serving(handler) as port, WebhookClient() as client:
            target = Target(parse_url(f"http://two.example:{port}/"), allow_networks=LOOPBACK)
            return await client.send(target, b"", {})

    assert asyncio.run(run()).status == 200
    assert len(seen) == 1


def resolving(monkeypatch: pytest.MonkeyPatch, first: list[str], then: list[str] | None = None) -> list[str]:
    """Stand in for the DNS, which tests must not ask; the list of look-ups made is returned."""
    calls: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        calls.append(host)
        found = first if len(calls) == 1 else (then or first)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return calls


async def judged(url: str, **options: object) -> list[str]:
    async with WebhookClient() as client:
        return await client.judged(Target(parse_url(url), **options))  # type: ignore[arg-type]


def test_http_needs_a_word_from_the_endpoint() -> None:
    """Plain HTTP is refused to a public address unless allowed; to a listed network it is fine."""
    with pytest.raises(ConfigurationError, match="without encryption"):
        asyncio.run(judged("http://1.1.1.1/"))
    assert asyncio.run(judged("http://1.1.1.1/", allow_http=True)) == ["1.1.1.1"]
    assert asyncio.run(judged("http://10.0.0.1/", allow_networks=parse_networks("10.0.0.0/8"))) == [
        "10.0.0.1"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crm.example.com/hook",
        "ftp://a.example/",
        "https:///x",
        "https://a b/",
        "https://a.example:99999/",
        "https://a\\@127.0.0.1/",
        "https://user:pass@a.example/",
        "https://key@a.example/",
        "http://[::1/",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(text: str) -> None:
    """A URL without scheme or host, with spaces, backslashes or a password is an error with advice."""
    with pytest.raises(ConfigurationError, match="URL"):
        parse_url(text)


@pytest.mark.slow
def test_one_hanging_endpoint_does_not_hold_up_others() -> None:
    """While some endpoints hang, a good one is answered in its usual time."""

    async def run() -> float:
        async with (
            serving(once(answering(b"", pause=5))) as bad,
            serving(once(answering(OK))) as good,
            WebhookClient() as client,
        ):

            def target(port: int) -> Target:
                return Target(parse_url(f"http://127.0.0.1:{port}/"), timeout=1, allow_networks=LOOPBACK)

            hanging = [asyncio.create_task(client.send(target(bad), b"", {})) for _ in range(20)]
            started = time.monotonic()
            assert (await client.send(target(good), b"", {})).status == 200
            took = time.monotonic() - started
            results = await asyncio.gather(*hanging, return_exceptions=True)
            assert all(isinstance(result, WebhookFailed) for result in results)
            return took

    assert asyncio.run(run()) < 0.9, "the others hang for a second"


def connect_proxy(lines: list[bytes]) -> Handler:
    """A CONNECT proxy that notes what it is asked for."""

    async def pipe(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def handler(reader: Reader, writer: Writer) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        lines.append(line)
        host, _, port = line.split(b" ")[1].decode().rpartition(":")
        assert ipaddress.ip_address(host).is_loopback
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pipe(reader, upstream_writer), pipe(upstream_reader, writer))

    return handler


@pytest.mark.parametrize("through_proxy", [False, True])
def test_tls_is_checked_against_the_name_while_the_address_is_pinned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, through_proxy: bool
) -> None:
    """The certificate must be the host's, directly or through a proxy, which is told the judged address."""
    resolving(monkeypatch, ["127.0.0.1"])
    _, server_tls, client_tls = certificate(tmp_path, "crm.example.com")
    lines: list[bytes] = []

    async def run(host: str) -> WebhookAnswer:
        async with (
            serving(once(answering(OK)), tls=server_tls) as port,
            serving(connect_proxy(lines)) as proxy_port,
            WebhookClient(tls=client_tls) as client,
        ):
            proxy = f"http://127.0.0.1:{proxy_port}" if through_proxy else None
            url = parse_url(f"https://{host}:{port}/hook")
            return await client.send(Target(url, allow_networks=LOOPBACK, proxy=proxy), b"{}", {})

    assert asyncio.run(run("crm.example.com")).status == 200
    assert [line.split(b":")[0] for line in lines] == ([b"CONNECT 127.0.0.1"] if through_proxy else [])
    with pytest.raises(WebhookFailed, match="TLS"):
        asyncio.run(run("other.example.com"))


def test_a_proxy_does_not_open_internal_addresses() -> None:
    """Behind a proxy the address is judged all the same, before the proxy hears of it."""
    asked: list[bytes] = []

    async def run() -> None:
        async with serving(connect_proxy(asked)) as port, WebhookClient() as client:
            await client.send(
                Target(parse_url("https://10.0.0.1/"), proxy=f"http://127.0.0.1:{port}"), b"", {}
            )

    with pytest.raises(AddressForbidden):
        asyncio.run(run())
    assert not asked


def test_the_proxy_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY counts, but for the hosts of NO_PROXY."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert environment_proxy(parse_url("https://crm.example.com/")) == "http://proxy.example:3128"
    assert environment_proxy(parse_url("https://inside.example/")) is None
