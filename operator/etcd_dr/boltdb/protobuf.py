"""Read protobuf's wire format, one message at a time, without believing it.

Rules this module keeps:
- Only what etcd's stored records use: varints and length-delimited fields; groups are malformed, fixed-width fields
  are skipped over by their size.
- A message that does not parse is `Malformed`; no other exception leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_VARINT_BYTES = 10


class Malformed(ValueError):
    """The bytes are no protobuf message."""


def varint(raw: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return an unsigned varint and the offset behind it."""
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(raw):
            break
        byte = raw[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise Malformed(f"a number at byte {at} does not end")


@dataclass(slots=True)
class Message:
    """The fields of one message by number; of a repeated field the last one, as protobuf has it."""

    integers: dict[int, int] = field(default_factory=dict)
    texts: dict[int, bytes] = field(default_factory=dict)
    repeated: int | None = None
    """A field number that appeared more than once."""


def message_of(raw: bytes | memoryview) -> Message:
    """Return a message's fields. Raises Malformed."""
    message = Message()
    for number, value in fields(raw):
        if number in message.integers or number in message.texts:
            message.repeated = number
        if isinstance(value, int):
            message.integers[number] = value
        else:
            message.texts[number] = value
    return message


def fields(raw: bytes | memoryview) -> Iterator[tuple[int, int | bytes]]:
    """Yield field number and value of each field: integers for varints, bytes for the rest."""
    at = 0
    while at < len(raw):
        tag, at = varint(raw, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("field number 0")
        if wire_type == 0:
            value, at = varint(raw, at)
            yield number, value
            continue
        size, at = _size(raw, at, wire_type)
        if size > len(raw) - at:
            raise Malformed(f"field {number} is {size} bytes long, {len(raw) - at} are left")
        yield number, bytes(raw[at : at + size])
        at += size


def _size(raw: bytes | memoryview, at: int, wire_type: int) -> tuple[int, int]:
    match wire_type:
        case 2:
            return varint(raw, at)
        case 1:
            return 8, at
        case 5:
            return 4, at
        case _:
            raise Malformed(f"wire type {wire_type}")


def signed(value: int) -> int:
    """Return the int64 that an unsigned varint stands for."""
    return value - (1 << 64) if value >> 63 else value
