"""CRC-32C, and how to join the values of neighbouring pieces without reading the pieces again.

Rules this module keeps:
- `crc32c(data, value=0)` is the hardware-backed function of the package `crc32c`.
- `joined(crc(A), crc(B), len(B))` is crc(A + B): the first value is multiplied by x^(8 len(B)) modulo the Castagnoli
  polynomial (reflected, as the CRC itself is).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

CASTAGNOLI = 0x82F63B78
_ONE = 1 << 31
_BYTE = 1 << 23
"""x^8 in reflected bit order."""


def _extension() -> Callable[..., int]:
    """Take the function out of the compiled module itself.

    The package around it reads its own version number when it is imported, with importlib.metadata and half of the
    email package: a fifth of the start-up time of each helper.
    """
    package = find_spec("crc32c")
    locations = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec("_crc32c", locations)
    if spec is None or spec.loader is None:
        from crc32c import crc32c as function  # noqa: PLC0415 - another build of the package; merely slower to load

        return function
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    extension: Callable[..., int] = module.crc32c
    return extension


crc32c = _extension()


def joined(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC-32C of two pieces one after the other."""
    return multiplied(first, _shift(second_bytes)) ^ second


def multiplied(left: int, right: int) -> int:
    """Multiply two polynomials modulo Castagnoli's, both in reflected bit order."""
    product = 0
    for position in range(31, -1, -1):
        if left >> position & 1:
            product ^= right
        right = right >> 1 ^ (CASTAGNOLI if right & 1 else 0)
    return product


def _shift(length_bytes: int) -> int:
    """Return x^(8 length) from one cached factor per byte of the length."""
    factor, place = _ONE, 0
    while length_bytes:
        if length_bytes & 0xFF:
            factor = multiplied(factor, _power(place, length_bytes & 0xFF))
        length_bytes >>= 8
        place += 1
    return factor


@cache
def _power(place: int, digit: int) -> int:
    """Return x^(8 * digit * 256^place)."""
    if digit == 1:
        return _BYTE if place == 0 else multiplied(_power(place - 1, 255), _power(place - 1, 1))
    half = _power(place, digit // 2)
    squared = multiplied(half, half)
    return multiplied(squared, _power(place, 1)) if digit % 2 else squared
