"""The sum of coordinates: the same for the same rows in any order, another for any others."""

from __future__ import annotations

import pyarrow as pa

from faultline.archive.coordinates import coordinate_sum
from faultline.testing.records import raw_table

HELD = pa.concat_tables([raw_table([b""] * 9, partition=part, topic_id=name) for part in range(3) for name in "ab"])


def test_order_and_portions_do_not_matter() -> None:
    backwards = HELD.take(list(range(len(HELD)))[::-1])
    assert coordinate_sum(HELD) == coordinate_sum(backwards)
    assert coordinate_sum(HELD) == coordinate_sum(HELD.slice(0, 20)) + coordinate_sum(HELD.slice(20))


def test_a_row_that_is_lost_doubled_or_exchanged_changes_the_sum() -> None:
    rest = HELD.slice(1)
    sums = {
        coordinate_sum(table)
        for table in (
            HELD,
            rest,
            pa.concat_tables([HELD, HELD.slice(4, 1)]),
            pa.concat_tables([rest, HELD.slice(4, 1)]),
            pa.concat_tables([rest, raw_table([b""], start=0, partition=3, topic_id="a")]),
            pa.concat_tables([rest, raw_table([b""], start=0, partition=0, topic_id="c")]),
        )
    }
    assert len(sums) == 6


def test_a_swap_of_offsets_between_partitions_changes_the_sum() -> None:
    one = pa.concat_tables([raw_table([b""], partition=0, start=1), raw_table([b""], partition=1, start=2)])
    other = pa.concat_tables([raw_table([b""], partition=0, start=2), raw_table([b""], partition=1, start=1)])
    assert coordinate_sum(one) != coordinate_sum(other)
