"""The records of a signed batch as they came, byte for byte."""

from __future__ import annotations

import cbor2

from keys import envelope


def raw_records(body: bytes) -> list[bytes]:
    """Each record's own bytes; `body` is a batch that has been decoded before."""
    records = cbor2.loads(envelope.parse(body).payload)[-1]
    return [record if isinstance(record, bytes) else cbor2.dumps(record) for record in records]
