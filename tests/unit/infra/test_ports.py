import os
import socket
from collections.abc import Iterator

import pytest

from infra.local.ports import LOOPBACK, TEST_PORTS, PortTakenError, free_port, holder_of, is_free
from infra.local.settings import LISTENERS, WrongSettingError, check_free, read_ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    with free_port() as port, socket.create_server((LOOPBACK, port)):
        yield port


def test_a_taken_port_is_seen_with_its_holder(taken_port: int) -> None:
    assert not is_free(taken_port)
    assert holder_of(taken_port).startswith(f"{os.getpid()} (")


def test_a_free_port_has_no_holder() -> None:
    with free_port() as port:
        assert port in TEST_PORTS
        assert is_free(port)
        assert holder_of(port) == ""


def test_two_runs_do_not_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.ports.TEST_PORTS", range(24_998, 25_000))
    with free_port() as one, free_port() as other:
        assert {one, other} == {24_998, 24_999}
        monkeypatch.setattr("infra.local.ports.TRIES", 5)
        with pytest.raises(RuntimeError, match="No free port found"), free_port():
            pass


def test_a_port_can_be_had_again() -> None:
    with free_port() as port:
        pass
    assert is_free(port)


def test_the_error_says_which_port_who_needs_it_and_what_to_do(taken_port: int) -> None:
    ports = {**read_ports({}), "gateway": taken_port}
    with pytest.raises(PortTakenError) as raised:
        check_free(ports, ["gateway"])
    assert str(raised.value) == (
        f"Port {taken_port} is in use by process {holder_of(taken_port)}. The gateway needs it: stop that process, or "
        f"choose another port below 32768, like HUITOU_GATEWAY_PORT={taken_port + 100} make run"
    )


def test_usual_ports() -> None:
    assert read_ports({}) == {
        "gateway": 8000,
        "members": 7101,
        "points": 7102,
        "campaigns": 7103,
        "feedback": 7104,
        "mongod": 27217,
        "rabbitmq": 5772,
        "rabbitmq_dist": 25772,
        "epmd": 4469,
    }


@pytest.mark.parametrize("name", list(LISTENERS))
def test_each_port_can_be_chosen(name: str) -> None:
    assert read_ports({LISTENERS[name].variable: "1234"}) == {**read_ports({}), name: 1234}


@pytest.mark.parametrize("given", ["80", "32768", "http", "-1", "٣٠٠٠"])
def test_what_is_no_port_is_refused(given: str) -> None:
    with pytest.raises(WrongSettingError) as raised:
        read_ports({"HUITOU_POINTS_PORT": given})
    assert str(raised.value) == f"HUITOU_POINTS_PORT is {given!r}; it must be a port from 1024 to 32767."


def test_one_port_for_two_is_refused() -> None:
    with pytest.raises(WrongSettingError) as raised:
        read_ports({"HUITOU_POINTS_PORT": "7101"})
    assert str(raised.value) == "HUITOU_POINTS_PORT and HUITOU_MEMBERS_PORT are both 7101: choose two ports."
