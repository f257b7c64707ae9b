"""The error detection code of CD sectors (ECMA-130 §14.3)."""


def _table() -> tuple[int, ...]:
    """Remainders of every byte for (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), lowest bit first."""
    made: list[int] = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0xD8018001 if remainder & 1 else 0)
        made.append(remainder)
    return tuple(made)


_TABLE = _table()


def edc(data: bytes | memoryview) -> int:
    """The EDC of `data`: of bytes 0 to 2063 of a mode 1 sector, 16 to 2071 of mode 2 form 1."""
    table, value = _TABLE, 0
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value
