"""Only who has the address gets in, from the page alone, and text of a catalogue is text."""

import http.client
import signal

import numpy as np
import pytest

from .conftest import galaxies, serving, until

HOSTILE = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"


@pytest.fixture
def one(served, tmp_path):
    """A page that the test may end."""
    return served(galaxies(folder=tmp_path))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A page that tests only ask."""
    folder = tmp_path_factory.mktemp("kept")
    with serving(folder) as start:
        yield start(galaxies(folder=folder))


def get(one, path: str, **headers: str) -> http.client.HTTPResponse:
    port = int(one.root.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


def upgrade(one, **headers: str) -> int:
    """Ask for a websocket, and give the status of the answer."""
    asked = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "bokeh, token",
    }
    return get(one, "/ws", **asked, **headers).status


def cookie_of(one) -> str:
    return get(one, f"/?token={one.token}").getheader("Set-Cookie").partition(";")[0]


def test_who_has_no_token_or_a_wrong_one_is_refused(kept):
    for path in (
        "/",
        "/?token=",
        "/?token=wrong",
        f"/?token={kept.token[:-1]}",
        "/?token=%00",
        "/autoload.js",
    ):
        answer = get(kept, path)
        assert answer.status == 403, path
        assert b"galaxy" not in answer.body
    assert get(kept, f"/?token={kept.token}").status == 200


def test_the_cookie_is_for_this_page_alone_and_for_no_script(kept):
    cookie = get(kept, f"/?token={kept.token}").getheader("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert get(kept, "/", Cookie=cookie.partition(";")[0]).status == 200
    assert get(kept, "/", Cookie="galzoo_repr_1=wrong").status == 403


def test_another_name_for_this_machine_is_refused_even_with_the_token(kept):
    # A page elsewhere whose name was pointed to this machine.
    assert get(kept, f"/?token={kept.token}", Host="evil.example").status == 403
    port = kept.root.split(":")[2].split("/")[0]
    # As a tunnel has it, which may end at another port.
    for host in (f"localhost:{port}", "localhost:9000", "127.0.0.1:81"):
        assert get(kept, f"/?token={kept.token}", Host=host).status == 200


def test_a_websocket_is_for_the_page_alone(kept):
    cookie = cookie_of(kept)
    host = kept.root.split("/")[2]
    assert upgrade(kept, Cookie=cookie, Origin=f"http://{host}") == 101
    assert upgrade(kept, Cookie=cookie, Origin="http://localhost:9000", Host="localhost:9000") == 101
    assert upgrade(kept, Cookie=cookie) == 403
    assert upgrade(kept, Cookie=cookie, Origin="null") == 403
    assert upgrade(kept, Cookie=cookie, Origin="http://evil.example") == 403
    assert upgrade(kept, Cookie=cookie, Origin="http://localhost:8888") == 403
    assert upgrade(kept, Origin=f"http://{host}") == 403


def test_no_other_machine_can_reach_it(kept):
    with open(f"/proc/{kept.process.pid}/net/tcp") as table:
        port = f"{int(kept.root.split(':')[2].split('/')[0]):04X}"
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_no_file_is_served_but_the_scripts_of_the_page(kept, tmp_path):
    cookie = cookie_of(kept)
    (tmp_path / "secret.txt").write_text("secret")
    for path in (
        f"/static/../../../..{tmp_path}/secret.txt",
        f"/static/{tmp_path}/secret.txt",
        f"/components/galzoo_repr.app._rate/RatingGrid/_esm{tmp_path}/secret.txt",
        f"/{tmp_path}/secret.txt",
        "/0.png",
    ):
        answer = get(kept, path, Cookie=cookie)
        assert answer.status in (400, 403, 404), path
        assert b"secret" not in answer.body


def test_the_token_is_in_no_log(one):
    get(one, f"/nothing-there?token={one.token}")
    get(one, f"/?token={one.token}")
    assert one.interrupt() == 0
    assert one.token not in one.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_with_a_page_open(one, page, number):
    page.goto(one.url)
    page.locator("figure.here").wait_for()
    one.process.send_signal(number)
    assert one.process.wait(timeout=60) == 0
    assert "Traceback" not in one.log.read_text()


def test_text_of_a_catalogue_is_shown_as_text(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    table["name"] = np.array([f"{row} {HOSTILE}" for row in range(len(table))])
    table["note"] = HOSTILE
    page.goto(served(table, "--show", "note").url)
    page.locator("figure.here").wait_for()
    assert "<script>" in page.locator("figcaption").first.inner_text()
    assert HOSTILE in page.locator(".about").inner_text()
    page.keyboard.press("v")
    until(lambda: "<script>" in page.locator(".fluxes h2").inner_text())
    assert page.evaluate("window.harmed === undefined")


def test_it_works_under_the_prefix_of_a_proxy(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path), "--prefix", "/user/ann/proxy/5006")
    assert "/user/ann/proxy/5006/?token=" in one.url
    page.goto(one.url)
    page.locator("figure.here").wait_for()
    page.keyboard.press("3")
    until(lambda: page.locator(".rate").get_attribute("data-rated") == "1")
    assert get(one, f"/?token={one.token}").status in (403, 404)


def test_hosts_of_a_proxy_must_be_named(served, tmp_path):
    one = served(galaxies(folder=tmp_path), "--origin", "hub.example.org")
    assert get(one, f"/?token={one.token}", Host="hub.example.org").status == 200
    assert get(one, f"/?token={one.token}", Host="other.example.org").status == 403
    cookie = cookie_of(one)
    assert upgrade(one, Cookie=cookie, Origin="https://hub.example.org") == 101
