"""Services that answer in every way but the right one: one row has a status, the others their images."""

import time

from . import attack
from .bad_server import MEGABYTE, Server, fits_body, forever, gzip_bomb, one_attempt, one_bad_row, send

OK = b"HTTP/1.1 200 OK\r\n"
LENGTHS = [b"abc", b"\xb2", b"-5", b"1,2", b"1e3", b"0x10", b"9" * 20, b"9" * 5000, b"", b"+5", b"1 2"]


@attack(length={repr(length[:12])[2:-1]: length for length in LENGTHS})
def a_length_that_is_none(folder, length):
    def answer(connection, path, number):
        connection.sendall(OK + b"Content-Length: " + length + b"\r\n\r\n" + fits_body(path))
        return False

    one_bad_row(folder, answer, allowed={"ok", "truncated", "corrupt", "server_error", "timeout"})


HEADS = {
    "no status line": b"hello\r\n\r\n",
    "zeros": b"\0" * 400 + b"\r\n\r\n",
    "code abc": b"HTTP/1.1 abc x\r\n\r\n",
    "code 99": b"HTTP/1.1 99 x\r\n\r\n",
    "code 999": b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
    "HTTP/9.9": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "code 101": b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n",
    "code 103": b"HTTP/1.1 103 x\r\nLink: x\r\n\r\n",
    "code 204": b"HTTP/1.1 204 x\r\n\r\n",
    "code 206": b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nhi",
    "code 304": b"HTTP/1.1 304 x\r\n\r\n",
    "code 300": b"HTTP/1.1 300 x\r\nContent-Length: 0\r\n\r\n",
    "302 to nowhere": b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n",
    "a reason of 60 kB": b"HTTP/1.1 500 " + b"a" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a reason for the terminal": b"HTTP/1.1 500 \x1b[2J\x07\r\nContent-Length: 4\r\n\r\n\x1b[2J",
    "a header of 70 kB": OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    "200 headers": OK + b"X: a\r\n" * 200 + b"\r\n",
    "a header without colon": OK + b"nonsense\r\nContent-Length: 2\r\n\r\nhi",
    "a header with zeros": OK + b"X: \0\0\r\nContent-Length: 2\r\n\r\nhi",
    "folded headers": OK + b"X: a\r\n b\r\n\tc\r\nContent-Length: 2\r\n\r\nhi",
    "latin letters": b"HTTP/1.1 200 \xff\r\n\xe4: \xff\r\nContent-Length: 2\r\n\r\nhi",
    "chunks ZZZ": OK + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\nabc",
    "chunks of -5": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n",
    "chunks without end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "a chunk of 10^30": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\nabc",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "unknown transfer": OK + b"Transfer-Encoding: bogus\r\n\r\nabc",
    "another charset": OK + b"Content-Type: text/html; charset=idna\r\nContent-Length: 2\r\n\r\nhi",
}


@attack(head=HEADS)
def an_odd_head(folder, head):
    def answer(connection, path, number):
        connection.sendall(head)
        return False

    one_bad_row(folder, answer)


PAUSES = [b"\xb2", b"Mon, 01 Jan 0001 00:00:00 -0000", b"Mon, 01 Jan 2030 00:00:00 +9999", b"9" * 400, b"soon",
          b"Fri, 31 Dec 9999 23:59:59 GMT", b"31536000", b"-1", b"1e5", b"nan"]  # fmt: skip


@attack(pause={repr(pause[:26])[2:-1]: pause for pause in PAUSES})
def a_pause_of(folder, pause):
    outcome = one_attempt(lambda c, p, n: send(c, b"", b"HTTP/1.1 503 x", b"Retry-After: " + pause))
    assert outcome.status == "server_error"
    if pause in (b"31536000", b"9" * 400):
        assert "of which 3600 s are kept" in outcome.reason


PLACES = [b"file:///etc/passwd", b"ftp://127.0.0.1/x", b"http://localhost:9/", b"http://127.0.0.1:9/",
          b"//evil.invalid/", b"http://[::1", b"http://", b"http://127.0.0.1:99999999/", b"http://a@127.0.0.1/",
          b"\xff\xfe", b"javascript:1", b"http://" + b"a" * 60_000, b"x" * 60_000, b"/viewer/x y"]  # fmt: skip


@attack(place={repr(place[:26])[2:-1]: place for place in PLACES})
def a_redirect_to(folder, place):
    def answer(connection, path, number):
        send(connection, b"", b"HTTP/1.1 302 x", b"Location: " + place)

    one_bad_row(folder, answer, allowed={"server_error", "bad_request"})


@attack()
def a_redirect_to_another_host_that_would_answer(folder):
    other = Server(lambda c, path, n: send(c, fits_body(path)))

    def answer(connection, path, number):
        place = f"http://127.0.0.1:{other.port}{path}".encode()
        send(connection, b"", b"HTTP/1.1 302 x", b"Location: " + place)

    one_bad_row(folder, answer, allowed={"server_error"})
    assert not other.paths


@attack(place={"the same": "", "ever longer": "x"})
def redirects_without_end(folder, place):
    def answer(connection, path, number):
        send(connection, b"", b"HTTP/1.1 302 x", b"Location: " + (path + place).encode())

    server = one_bad_row(folder, answer, allowed={"server_error"})
    assert len(server.paths) < 40


@attack(body={"endless": lambda: None, "a gzip bomb": lambda: gzip_bomb(3000)})
def a_redirect_with_a_body(folder, body):
    packed = body()

    def answer(connection, path, number):
        head = b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:9/\r\n"
        if packed is None:
            connection.sendall(head + b"\r\n")
            forever(connection)
        else:
            send(connection, packed, head[:-2], b"Content-Encoding: gzip")

    one_bad_row(folder, answer, allowed={"server_error"})


ENCODINGS = [
    b"gzip",
    b"zstd",
    b"br",
    b"deflate",
    b"bogus",
    b"gzip, gzip",
    b", ".join([b"gzip"] * 500),
    b"\xff",
]


@attack(encoding={repr(one[:20])[2:-1]: one for one in ENCODINGS})
def plain_bytes_that_are_said_to_be(folder, encoding):
    one_bad_row(
        folder,
        lambda c, path, n: send(c, fits_body(path), OK[:-2], b"Content-Encoding: " + encoding),
        allowed={"corrupt", "truncated"},
    )


@attack(cut={"cut": slice(None, -9), "with a tail": slice(None)})
def a_packed_body(folder, cut):
    packed = gzip_bomb(1)[cut] + (b"" if cut.stop else b"tail" * 100)
    one_bad_row(folder, lambda c, p, n: send(c, packed, OK[:-2], b"Content-Encoding: gzip"))


@attack(
    kind=["gzip bomb of 3 GB", "endless", "endless chunks", "endless gzip", "announced 99 GB", "chunk of -1"]
)
def a_body_without_bound(folder, kind):
    bomb = gzip_bomb(3000) if "3 GB" in kind else b""
    heads = {
        "gzip bomb of 3 GB": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb,
        "endless": b"\r\n",
        "endless chunks": b"Transfer-Encoding: chunked\r\n\r\n",
        "endless gzip": b"Content-Encoding: gzip\r\n\r\n" + gzip_bomb(1)[:-9],
        "announced 99 GB": b"Content-Length: 99999999999\r\n\r\n",
        "chunk of -1": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    }

    def answer(connection, path, number):
        connection.sendall(OK + heads[kind])
        if kind == "gzip bomb of 3 GB":
            return
        forever(connection, b"100000\r\n" + MEGABYTE + b"\r\n" if kind == "endless chunks" else MEGABYTE)

    one_attempt(answer, timeout=10.0, late=0.0)


@attack(kind=["status line", "header", "headers", "100 Continue", "chunk size", "trailer", "trailers"])
def something_endless(folder, kind):
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    start, piece = {
        "status line": (b"HTTP/1.1 200 ", b"a" * 2**16),
        "header": (OK + b"X: ", b"a" * 2**16),
        "headers": (OK, (b"X: " + b"a" * 60_000 + b"\r\n")),
        "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        "chunk size": (chunked, b"0" * 2**16),
        "trailer": (chunked + b"0\r\n", b"a" * 2**16),
        "trailers": (chunked + b"0\r\n", b"X: a\r\n" * 1000),
    }[kind]

    def answer(connection, path, number):
        connection.sendall(start)
        forever(connection, piece)

    one_attempt(answer, timeout=5.0)


@attack(kind=["body", "chunks", "headers", "status line", "nothing", "100 Continue", "gzip"])
def something_slow(folder, kind):
    start = {
        "body": OK + b"Content-Length: 90000\r\n\r\n",
        "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n",
        "headers": OK + b"X: ",
        "gzip": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip_bomb(1)[:50],
    }.get(kind, b"")

    def answer(connection, path, number):
        connection.sendall(start)
        if kind == "nothing":
            time.sleep(30)
        piece = {"chunks": b"1\r\nx\r\n", "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n", "gzip": b"\0"}
        forever(connection, piece.get(kind, b"x"), pause=0.1)

    assert one_attempt(answer).status == "timeout"


@attack()
def cookies_are_not_kept(folder):
    def answer(connection, path, number):
        send(
            connection,
            b"no",
            b"HTTP/1.1 404 x",
            *[b"Set-Cookie: c%d=" % one + b"a" * 3000 for one in range(50)],
        )

    server = one_bad_row(folder, answer, allowed={"bad_request"})
    assert not any(b"cookie" in head.lower() for head in server.heads)


@attack()
def a_body_longer_than_announced_spoils_no_other_row(folder):
    def answer(connection, path, number):
        body = fits_body(path)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % (len(body) - 2880) + body + body)

    one_bad_row(folder, answer)


@attack()
def a_name_is_looked_up_slowly(folder):
    import socket

    real = socket.getaddrinfo

    def slow(*args, **kwargs):
        time.sleep(20)
        return real(*args, **kwargs)

    socket.getaddrinfo = slow
    assert one_attempt(lambda c, p, n: None).status == "timeout"


@attack()
def tls_that_trickles(folder):
    import astropy.units as u

    from galzoo_repr import LegacySurvey

    def trickle(listener):
        connection, _ = listener.accept()
        forever(connection, b"\x16", pause=0.1)

    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=trickle, args=(listener,), daemon=True).start()
    survey = LegacySurvey(server=f"https://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
    began = time.monotonic()
    outcome = survey.attempt(survey.request(3.0, 0.0, 38, 0.262 * u.arcsec)).outcome
    assert outcome.status in ("timeout", "server_error")
    assert time.monotonic() - began < 3
