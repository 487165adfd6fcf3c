"""Counting the broker's confirms: single, multiple, out of order, refused."""

from __future__ import annotations

import random

import pytest

from notifier.broker.confirms import Confirms


def confirms(published: int) -> Confirms:
    counter = Confirms()
    for _ in range(published):
        counter.publish()
    return counter


def test_nothing_is_outstanding_before_the_first_publish() -> None:
    assert confirms(0).outstanding == 0


def test_each_ack_confirms_one() -> None:
    counter = confirms(3)
    counter.ack(1, False)
    assert counter.outstanding == 2
    counter.ack(1, False)
    assert counter.outstanding == 2


def test_multiple_confirms_all_up_to_it() -> None:
    counter = confirms(10)
    counter.ack(9, False)
    counter.ack(3, False)
    counter.ack(5, True)
    assert counter.outstanding == 4
    counter.ack(10, True)
    assert counter.outstanding == 0


def test_a_late_multiple_changes_nothing() -> None:
    counter = confirms(5)
    counter.ack(4, True)
    counter.ack(2, True)
    assert counter.outstanding == 1


def test_a_nack_is_an_answer_and_counts_as_refused() -> None:
    counter = confirms(5)
    counter.ack(1, False)
    counter.nack(3, True)
    assert (counter.outstanding, counter.refused) == (2, 2)
    counter.nack(5, False)
    assert (counter.outstanding, counter.refused) == (1, 3)


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_acks_ends_with_nothing_outstanding(seed: int) -> None:
    rng = random.Random(seed)
    counter, open_tags = confirms(200), set(range(1, 201))
    while open_tags:
        tag, multiple = rng.choice(sorted(open_tags)), rng.random() < 0.2
        counter.ack(tag, multiple)
        open_tags -= {t for t in open_tags if t <= tag} if multiple else {tag}
        assert counter.outstanding == len(open_tags)
