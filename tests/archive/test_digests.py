"""Sums of records are equal when the records are, and only then."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.digests import BLOCK, Digests
from faultline.model import OffsetRange, TopicPartition
from faultline.testing.records import NOON, raw_table

PART = TopicPartition("app", "generation-1", 0)
SPAN = OffsetRange(PART, 0, 1000)


def digest(*portions: pa.Table) -> Digests:
    found = Digests()
    for portion in portions:
        found.add(PART, portion)
    return found


values = st.lists(st.one_of(st.none(), st.binary(max_size=9)), max_size=30)


@given(values, st.randoms())
def test_order_and_portions_do_not_matter(records: list[bytes | None], rng: object) -> None:
    table = raw_table(records)
    order = list(range(len(records)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    shuffled = table.take(pa.array(order, pa.int64()))
    portions = [shuffled.slice(0, 7), shuffled.slice(7)]
    assert digest(table).differing(digest(*portions), [SPAN]) == ()


OTHERS = {
    "bytes": raw_table([b"a", b"c"]),
    "order of values": raw_table([b"b", b"a"]),
    "time": raw_table([b"a", b"b"], at=NOON + timedelta(milliseconds=1)),
    "no time": raw_table([b"a", b"b"], at=None),
    "offset": raw_table([b"a", b"b"], start=1),
    "one less": raw_table([b"a"]),
    "one twice": pa.concat_tables([raw_table([b"a", b"b"]), raw_table([b"a"])]),
    "key": raw_table([b"a", b"b"]).set_column(4, "kafka_key", pa.array([None, b"k"], pa.binary())),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_any_difference_is_seen(other: pa.Table) -> None:
    assert digest(raw_table([b"a", b"b"])).differing(digest(other), [SPAN]) == (SPAN,)


def test_null_is_neither_empty_nor_the_text_that_stands_for_it() -> None:
    sums = [digest(raw_table([value])) for value in (None, b"", b"nan", b"None")]
    assert all(one.differing(two, [SPAN]) for one in sums for two in sums if one is not two)


def test_a_difference_is_in_its_block() -> None:
    one = digest(raw_table([b"a"] * 3, start=2 * BLOCK))
    two = digest(raw_table([b"a", b"b", b"a"], start=2 * BLOCK))
    span = OffsetRange(PART, 10, 2 * BLOCK + 3)
    assert one.differing(two, [span]) == (OffsetRange(PART, 2 * BLOCK, 2 * BLOCK + 3),)
