"""What was configured, and when. On SQLite and on PostgreSQL."""

from __future__ import annotations

from threading import Barrier, Thread

from faultline.adapters.database import Database
from faultline.yaml_files import Document
from tests.contracts.values import NOON, SECOND

FILE = "rules.yaml"


def test_a_version_is_remembered_when_it_comes_into_force_again(database: Database) -> None:
    texts = ("one\ntwo", "one\ntwo", "one\nthree", "one\ntwo")
    new = [database.record_change("rules", Document(FILE, text), NOON + n * SECOND) for n, text in enumerate(texts)]
    assert new == [True, False, True, True]
    back, changed, first = database.configuration_changes("rules")
    assert (first.before, first.at, first.source, first.by) == ("", NOON, FILE, None)
    assert (back.hash, back.before) == (first.hash, changed.text)
    assert changed.diff.splitlines()[-3:] == [" one", "-two", "+three"]


def test_kinds_are_kept_apart_and_the_newest_come_first(database: Database) -> None:
    assert database.configuration_changes("rules") == []
    database.record_change("rules", Document(FILE, "a"), NOON, by="admin")
    database.record_change("topics", Document("topics.yaml", "b"), NOON)
    database.record_change("rules", Document("Variable faultline_rules", "a"), NOON)
    [newest] = database.configuration_changes("rules", range(1))
    assert (newest.source, newest.before, newest.diff) == ("Variable faultline_rules", "a", "")
    assert [change.by for change in database.configuration_changes("rules")] == [None, "admin"]


def test_who_brought_a_version_is_remembered_though_an_evaluation_was_faster(database: Database) -> None:
    document = Document("Variable faultline_rules", "a")
    for by in (None, "alice", "bob"):
        database.record_change("rules", document, NOON, by=by)
    assert [change.by for change in database.configuration_changes("rules")] == ["alice"]


def test_a_masked_text_goes_by_the_hash_of_the_whole_one(database: Database) -> None:
    assert database.record_change("settings", Document("environment", "***"), NOON, hash="1")
    assert database.record_change("settings", Document("environment", "***"), NOON, hash="2")


def test_of_two_who_see_a_change_at_once_one_records_it(database: Database) -> None:
    together, recorded = Barrier(4), []

    def record() -> None:
        together.wait()
        recorded.append(database.record_change("rules", Document(FILE, "text"), NOON))

    threads = [Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(recorded) == [False, False, False, True]
    assert len(database.configuration_changes("rules")) == 1
