"""The HTTP service: what it counts, and that nothing of it is left when it stops."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from galzoo_repr import GalzooWarning
from galzoo_repr.simulation import Reply, SimulatedSurvey, SurveyService


def hello(request):
    return Reply(
        200, "text/plain", f"{request.path} {dict(request.query)}".encode(), {"X-Number": str(request.number)}
    )


def broken(request):
    raise ZeroDivisionError


@pytest.fixture
def service():
    routes = {
        "/hello": hello,
        "/hello/there": lambda _: Reply(200, "text/plain", b"there"),
        "/broken": broken,
    }
    with SurveyService(routes) as running:
        yield running


def connection(service):
    parts = urlsplit(service.url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


def get(service, path, method="GET"):
    client = connection(service)
    try:
        client.request(method, path)
        answer = client.getresponse()
        return answer, answer.read()
    finally:
        client.close()


@pytest.fixture
def service_threads():
    """Threads of services that started in this test; others may run for a whole module of tests."""
    before = set(threading.enumerate())

    def started_here():
        return [one for one in set(threading.enumerate()) - before if one.name.startswith("survey-")]

    return started_here


def test_answers_by_the_longest_prefix(service):
    assert get(service, "/hello?a=1&flag&a=2")[1] == b"/hello {'a': '2', 'flag': ''}"
    assert get(service, "/hello/there")[1] == b"there"
    assert get(service, "/hello.txt")[1].startswith(b"/hello.txt")


def test_unknown_paths_and_failures_are_html(service):
    for path, status in (("/nothing", 404), ("/broken", 500)):
        answer, body = get(service, path)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("text/html")
        assert b"<h1>" in body


def test_connection_is_kept_alive_and_length_is_exact(service):
    client = connection(service)
    client.connect()
    used = client.sock
    for _ in range(3):
        client.request("GET", "/hello")
        answer = client.getresponse()
        body = answer.read()
        assert answer.version == 11
        assert int(answer.headers["Content-Length"]) == len(body)
    assert client.sock is used
    client.close()


def test_head_sends_headers_alone(service):
    full, body = get(service, "/hello/there")
    answer, nothing = get(service, "/hello/there", method="HEAD")
    assert nothing == b""
    assert answer.headers["Content-Length"] == full.headers["Content-Length"] == str(len(body))


def test_small_replies_are_not_delayed(service):
    client = connection(service)
    seconds = []
    for _ in range(20):
        started = time.monotonic()
        client.request("GET", "/hello")
        client.getresponse().read()
        seconds.append(time.monotonic() - started)
    client.close()
    assert min(seconds[1:]) < 0.03  # where packets are delayed each takes 40 ms


def test_requests_are_logged_in_order(service):
    for number in range(3):
        answer, _ = get(service, f"/hello?number={number}")
        assert answer.headers["X-Number"] == str(number)
    get(service, "/broken")
    assert [entry.path for entry in service.requests] == ["/hello", "/hello", "/hello", "/broken"]
    assert [entry.query.get("number") for entry in service.requests] == ["0", "1", "2", None]
    # What has been answered has been noted: there is nothing to wait for.
    assert [entry.status for entry in service.requests] == [200, 200, 200, 500]
    assert all(0 <= entry.seconds < 5 for entry in service.requests)


def test_requests_in_flight_are_counted():
    together = threading.Barrier(4)

    def wait(request):
        together.wait(10)
        return Reply(200, "text/plain", b"")

    with SurveyService({"/": wait}) as service, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: get(service, "/"), range(4)))
        assert service.max_in_flight == 4
    assert service.in_flight == 0


def test_one_client_is_never_two_requests():
    """The next request of a client may arrive while the thread that answered the last one is not done."""
    body = bytes(3_000_000)
    with SurveyService({"/": lambda _: Reply(200, "text/plain", body)}) as service:
        clients = connection(service), connection(service)
        for number in range(30):
            clients[number % 2].request("GET", "/")
            assert clients[number % 2].getresponse().read() == body
            assert service.in_flight == 0
        for client in clients:
            client.close()
        assert service.max_in_flight == 1


def test_client_that_gave_up_is_not_in_flight():
    let_go = threading.Event()

    def answer(request):
        if request.path == "/slow":
            let_go.wait(10)
        return Reply(200, "text/plain", b"x")

    with SurveyService({"/": answer}) as service:
        for _ in range(3):
            client = connection(service)
            client.request("GET", "/slow")
            while not service.in_flight:
                time.sleep(0.001)
            client.close()
            assert get(service, "/quick")[1] == b"x"
        assert service.max_in_flight == 1
        let_go.set()


@pytest.mark.parametrize("port", [-1, 65536])
def test_no_such_port(port):
    with pytest.raises(ValueError, match="up to 65535"):
        SurveyService({}, port=port)


def test_rate_is_counted_within_any_interval(service):
    for pause in (0, 0, 0.4, 0):
        time.sleep(pause)
        get(service, "/hello")
    assert service.most_requests_within(60) == 4
    assert service.most_requests_within(0.2) in (1, 2)
    assert service.most_requests_within(0) == 1


def test_rate_without_requests_is_zero(service):
    assert service.most_requests_within(1) == 0


def test_faults_come_before_endpoints():
    class HangUp:
        def write(self, handler):
            handler.close_connection = True

    def faults(request):
        return HangUp() if request.number == 0 else None

    with SurveyService({"/hello": hello}, faults=faults) as service:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            get(service, "/hello")
        assert get(service, "/hello")[0].status == 200
        assert service.requests[0].status == 0


def test_stop_closes_idle_connections_and_ends_threads(service_threads):
    with SurveyService({"/hello": hello}) as service:
        client = connection(service)
        client.request("GET", "/hello")
        client.getresponse().read()
        assert service_threads()
    assert not service_threads()
    client.close()
    with pytest.raises(OSError, match="refused"):
        get(service, "/hello")


def test_stop_interrupts_requests_in_flight(service_threads):
    arrived, release = threading.Event(), threading.Event()

    def slow(request):
        arrived.set()
        release.wait(10)
        return Reply(200, "text/plain", b"x" * 10_000_000)

    service = SurveyService({"/": slow}).start()
    client = connection(service)
    client.request("GET", "/")
    assert arrived.wait(10)
    threading.Timer(0.2, release.set).start()
    service.stop()
    assert not service_threads()
    client.close()


def serve_and_raise(error):
    with SurveyService({"/hello": hello}) as service:
        get(service, "/hello")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_in_the_block_stops_the_service(error, service_threads):
    with pytest.raises(error):
        serve_and_raise(error)
    assert not service_threads()


def test_clients_that_hang_up_do_no_harm():
    def large(request):
        return Reply(200, "text/plain", b"x" * 20_000_000)

    with SurveyService({"/": large}) as service:
        client = connection(service)
        client.request("GET", "/")
        client.sock.close()
        client.close()
        assert get(service, "/")[0].status == 200
        with socket.create_connection(service._address) as raw:
            raw.sendall(b"this is not HTTP\r\n\r\n")
            assert b"400" in raw.recv(1000)


def test_service_starts_again_on_its_port(service):
    url = service.url
    assert service.start() is service
    assert service.url == url
    service.stop()
    service.stop()
    service.start()
    assert service.url == url
    assert get(service, "/hello")[0].status == 200


def test_a_survey_answers_without_a_with_block_until_it_is_stopped(service_threads):
    service = SimulatedSurvey(seed=3).serve()
    assert get(service, "/viewer/nothing")[0].status == 404
    with service as same:
        assert same.url == service.url
    assert not service_threads()
    service.stop()


def test_port_that_is_taken_is_reported(service):
    port = urlsplit(service.url).port
    with pytest.raises(OSError, match=f"cannot listen on port {port} of 127.0.0.1"):
        SurveyService({}, port=port).start()


def test_wait_ends_when_another_thread_stops_the_service(service_threads):
    service = SurveyService({"/hello": hello}).start()
    threading.Timer(0.2, service.stop).start()
    service.wait()
    assert not service_threads()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupt_ends_a_waiting_process():
    script = (
        "import threading\n"
        "from galzoo_repr.simulation import SimulatedSurvey\n"
        "with SimulatedSurvey().serve() as service:\n"
        "    # said once the process waits, so that it is interrupted while it does\n"
        "    threading.Timer(1, print, [service.url], {'flush': True}).start()\n"
        "    service.wait()\n"
        "print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with process:
        url = process.stdout.readline().strip()
        assert url.endswith("/viewer")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert output == "stopped\n"
    assert process.returncode == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.7", "a.b.org"])
def test_a_service_for_other_computers_warns(host):
    with pytest.warns(GalzooWarning, match="asks none who it is"):
        SurveyService({}, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_a_service_for_this_machine_alone_does_not(host):
    SurveyService({}, host=host)
