"""Layout: an on-disc structure declared once, as a typed table, and read with `struct`.

    class PathTableRecord(NamedTuple):
        identifier_length: U8  # 9.4.1
        xattr_length: U8       # 9.4.2
        extent: Little32       # 9.4.3
        parent: Little16       # 9.4.4

    RECORD = Layout(PathTableRecord, size=8)
    record = RECORD.read(sector, offset)

A field recorded in both byte orders (`Both16`, `Both32`; ECMA-119 §7.2.3, §7.3.3) reads as its
little-endian copy; `disagreements()` compares the copies.
"""

import struct
from collections.abc import Iterator
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints


class _Both(NamedTuple):
    """Marks a field whose big-endian copy follows the little-endian one."""

    code: str
    width: int


class RawBytes(NamedTuple):
    """Marks a field of raw bytes."""

    width: int


U8 = Annotated[int, "B"]
S8 = Annotated[int, "b"]
Little16 = Annotated[int, "<H"]
Little32 = Annotated[int, "<I"]
Little64 = Annotated[int, "<Q"]
Big16 = Annotated[int, ">H"]
Big32 = Annotated[int, ">I"]
Big64 = Annotated[int, ">Q"]
Both16 = Annotated[int, _Both("H", 2)]
Both32 = Annotated[int, _Both("I", 4)]

Bytes4 = Annotated[bytes, RawBytes(4)]
Bytes5 = Annotated[bytes, RawBytes(5)]
Bytes7 = Annotated[bytes, RawBytes(7)]
Bytes16 = Annotated[bytes, RawBytes(16)]
Bytes17 = Annotated[bytes, RawBytes(17)]
Bytes32 = Annotated[bytes, RawBytes(32)]
Bytes37 = Annotated[bytes, RawBytes(37)]
Bytes128 = Annotated[bytes, RawBytes(128)]

Structure = TypeVar("Structure", bound=tuple[Any, ...])


class Disagreement(NamedTuple):
    """A both-endian field whose two copies differ: byte offset in the structure, and both values."""

    field: str
    offset: int
    little: int
    big: int


class Layout(Generic[Structure]):
    """A NamedTuple of annotated fields, compiled to one `struct`; `size` is checked at import.

    All fields are little-endian or all big-endian, but for both-endian ones (little copy first).
    """

    def __init__(self, structure: type[Structure], *, size: int) -> None:
        """Compile `structure`; `size` is the number of bytes that its standard gives."""
        self.structure = structure
        self.size = size
        order = ""
        codes: list[str] = []
        self._both: list[tuple[str, int, int]] = []
        offset = 0
        for name, hint in get_type_hints(structure, include_extras=True).items():
            assert get_origin(hint) is Annotated, f"{structure.__name__}.{name} has no layout"
            mark = get_args(hint)[1]
            if isinstance(mark, _Both):
                codes.append(f"{mark.code}{mark.width}x")
                self._both.append((name, offset, mark.width))
                offset += 2 * mark.width
                code_order = "<"
            elif isinstance(mark, RawBytes):
                codes.append(f"{mark.width}s")
                offset += mark.width
                code_order = ""
            else:
                codes.append(mark[-1])
                offset += struct.calcsize(f"<{mark[-1]}")
                code_order = mark[0] if len(mark) == 2 else ""
            assert not (code_order and order and code_order != order), (
                f"{structure.__name__} mixes byte orders"
            )
            order = order or code_order
        self._struct = struct.Struct((order or "<") + "".join(codes))
        assert self._struct.size == size, f"{structure.__name__}: {self._struct.size} bytes, not {size}"
        self._make: Any = structure._make  # type: ignore[attr-defined]

    def read(self, buffer: bytes | memoryview, offset: int = 0) -> Structure:
        """Read the structure at `offset`; the caller has checked that `size` bytes are there."""
        made: Structure = self._make(self._struct.unpack_from(buffer, offset))
        return made

    def write(self, structure: Structure) -> bytes:
        """Lay `structure` out as bytes; not for structures with both-endian fields."""
        assert not self._both, "both-endian fields are not written"
        return self._struct.pack(*structure)

    def disagreements(self, buffer: bytes | memoryview, offset: int = 0) -> Iterator[Disagreement]:
        """Yield each both-endian field whose copies differ."""
        for name, at, width in self._both:
            start = offset + at
            little = int.from_bytes(buffer[start : start + width], "little")
            big = int.from_bytes(buffer[start + width : start + 2 * width], "big")
            if little != big:
                yield Disagreement(name, at, little, big)

    def agrees(self, buffer: bytes | memoryview, offset: int = 0) -> bool:
        """Whether every both-endian field's copies are equal."""
        return next(self.disagreements(buffer, offset), None) is None
