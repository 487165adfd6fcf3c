"""Limits for the sockets of an address and for those without a hello; counts stay right however one ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from notifier.core.errors import OverLimit, Unauthenticated
from notifier.core.session import Principal
from web.gateway.admission import Admission, Verify, network


def verify(token: str) -> Principal:
    if token == "wrong":
        raise Unauthenticated
    return Principal(token, float("inf"))


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        (None, ""),
        ("unix:", "unix:"),
    ],
)
def test_what_counts_as_one_address(address: str | None, counts_as: str) -> None:
    assert network(address) == counts_as


@contextmanager
def entered(admission: Admission, address: str) -> Iterator[Verify]:
    """A socket's time."""
    slot = admission.slot(address, verify)
    yield slot.enter()
    slot.leave()


def test_an_address_over_its_limit_does_not_affect_another() -> None:
    admission = Admission(per_address=2, unauthenticated=100)
    with ExitStack() as open_ones:
        for _ in range(2):
            admission.check("192.0.2.7")
            open_ones.enter_context(entered(admission, "192.0.2.7"))("u")
        with pytest.raises(OverLimit) as caught:
            admission.check("192.0.2.7")
        assert (caught.value.status, caught.value.close_code) == (429, 4429)
        admission.check("192.0.2.8")
    admission.check("192.0.2.7")
    assert not admission._addresses


def test_a_valid_hello_frees_a_place_and_a_wrong_one_does_not() -> None:
    admission = Admission(per_address=100, unauthenticated=1)
    with entered(admission, "a") as verified:
        with pytest.raises(OverLimit):
            admission.check("b")
        with pytest.raises(Unauthenticated):
            verified("wrong")
        with pytest.raises(OverLimit):
            admission.check("b")
        assert verified("u1").user_id == "u1"
        verified("u1")  # a fresh token, later on
        admission.check("b")
    assert admission._unauthenticated == 0


def test_there_are_no_more_sockets_than_places() -> None:
    admission = Admission(per_address=100, unauthenticated=100, sockets=1)
    with entered(admission, "a"), pytest.raises(OverLimit):
        admission.check("b")
    admission.check("b")


def test_sockets_leave_file_handles_to_the_database_and_the_broker() -> None:
    admission = Admission(per_address=100, unauthenticated=100, handles=lambda: 1_000)
    admission.check("a", handle=999)
    with pytest.raises(OverLimit):
        admission.check("a", handle=1_000)
