"""What people say is kept, once, until it has been acted on. On SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from faultline.adapters.database import Database
from faultline.alerting.silences import Silence, SilenceState, StoredSilence
from faultline.errors import PermanentError, Superseded
from faultline.model import Ack
from tests.contracts.values import ACK, NOON, SECOND, evaluation

HOUR = 3600 * SECOND


def silence(start: int = 0, end: int = 1, comment: str = "rebuilt") -> Silence:
    """From one hour after noon to another."""
    matchers = ('alertname="DbDown"', 'host=~"数|\x00"')
    span = {"starts_at": NOON + start * HOUR, "ends_at": NOON + end * HOUR}
    return Silence(matchers=matchers, **span, created_by="alice", comment=comment)


def test_silences_come_back_as_they_were_set_in_their_order_under_numbers_of_their_own(database: Database) -> None:
    first, second = database.add_silence(silence(2, 3)), database.add_silence(silence())
    found = database.silences()
    assert [(each.id, each.silence) for each in found] == [(first, silence(2, 3)), (second, silence())]
    assert first != second


def test_only_those_are_read_that_are_not_over(database: Database) -> None:
    for end in (1, 2, 3):
        database.add_silence(silence(0, end))
    assert [each.silence for each in database.silences(after=NOON + 2 * HOUR)] == [silence(0, 3)]


def test_a_comment_that_no_database_takes_is_stored_all_the_same(database: Database) -> None:
    database.add_silence(silence(comment="NUL \x00"))
    assert [each.silence.comment for each in database.silences()] == ["NUL \ufffd"]


def test_a_silence_is_ended_now_once(database: Database) -> None:
    number, now = database.add_silence(silence(0, 3)), NOON + HOUR
    assert database.expire_silences([number, number], now) == [number]
    assert database.expire_silences([number], now + SECOND) == []
    [found] = database.silences()
    assert (found.silence.starts_at, found.silence.ends_at) == (NOON, now)


def test_one_that_has_not_begun_never_does(database: Database) -> None:
    database.expire_silences([database.add_silence(silence(5, 6))], NOON)
    [found] = database.silences()
    assert (found.silence.starts_at, found.silence.ends_at) == (NOON, NOON)
    assert found.silence.state(NOON) is SilenceState.EXPIRED


def test_a_number_that_there_is_not_ends_none(database: Database) -> None:
    number = database.add_silence(silence())
    with pytest.raises(PermanentError, match=f"no silence {10**30}, {number + 1}; faultline silence list --all"):
        database.expire_silences([number, 10**30, number + 1], NOON)
    assert [each.silence for each in database.silences()] == [silence()]


def test_of_several_who_end_a_silence_at_once_one_does(database_url: str, database: Database) -> None:
    number = database.add_silence(silence())

    def end(_: int) -> list[int]:
        with Database(database_url) as mine:
            return mine.expire_silences([number], NOON)

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(end, range(4)))
    assert sorted(ended) == [[], [], [], [number]]


def test_an_acknowledgement_waits_until_an_evaluation_is_recorded_that_heard_it(database: Database) -> None:
    later = replace(ACK, episode="e2", by="NUL \x00", comment="")
    assert [database.add_ack(ACK), database.add_ack(later)] == [True, True]
    assert database.interventions(NOON) == ([], [ACK, replace(later, by="NUL \ufffd")])
    record(database, ACK)
    assert [ack.episode for ack in database.interventions(NOON)[1]] == ["e2"]


def test_of_two_who_take_on_an_episode_before_the_next_evaluation_the_first_counts(database: Database) -> None:
    assert [database.add_ack(ACK), database.add_ack(replace(ACK, by="bob"))] == [True, False]
    assert database.interventions(NOON) == ([], [ACK])
    record(database, ACK)
    assert database.add_ack(replace(ACK, by="bob"))


def test_an_orphan_strikes_off_nothing(database: Database) -> None:
    orphan = database.acquire_lease("alerts", "orphan")
    database.acquire_lease("alerts", "successor")
    database.add_ack(ACK)
    with pytest.raises(Superseded):
        database.record_evaluation(orphan, replace(evaluation(), acks=(ACK,)))
    assert database.interventions(NOON) == ([], [ACK])


def test_an_evaluation_heeds_the_silences_that_are_not_over(database: Database) -> None:
    for end in (1, 3):
        database.add_silence(silence(0, end))
    assert database.interventions(NOON + HOUR) == ([StoredSilence(2, silence(0, 3)).numbered], [])


def record(database: Database, *heard: Ack) -> None:
    database.record_evaluation(database.acquire_lease("alerts", "test"), replace(evaluation(), acks=heard))
