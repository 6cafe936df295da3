"""What the table and its storage report, as a decision."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError

from faultline.adapters.delta_errors import table_errors
from faultline.errors import PermanentError, Superseded, TransientError

AWAY = "Object Store error: Generic HdfsObjectStore error: IO error: Connection refused (os error 111)"
FAULTS: dict[str, tuple[Exception, type[Exception]]] = {
    "storage is away": (OSError(AWAY), TransientError),
    "storage is away, in a query": (pa.ArrowInvalid(f"External error: Parquet error: {AWAY}"), TransientError),
    "safe mode": (OSError("RPC error: org.apache.hadoop.hdfs.server.namenode.SafeModeException"), TransientError),
    "standby": (OSError("RPC error: org.apache.hadoop.ipc.StandbyException: not supported"), TransientError),
    "not allowed": (OSError("RPC error: AccessControlException Permission denied"), PermanentError),
    "a file of the table is gone": (
        pa.ArrowInvalid("External error: Object Store error: Object at location /a/b not found: x"),
        PermanentError,
    ),
    "another writer was faster": (CommitFailedError("Concurrent transaction failed"), Superseded),
    "a commit failed": (CommitFailedError("Transaction failed: no space"), TransientError),
    "a query is wrong": (DeltaError("Schema error: No field named x"), PermanentError),
    "our own mistake": (pa.ArrowInvalid("Could not convert 'x' to int64"), pa.ArrowInvalid),
}


@pytest.mark.parametrize(("error", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught, table_errors("reading"):
        raise error
    assert caught.type is expected
