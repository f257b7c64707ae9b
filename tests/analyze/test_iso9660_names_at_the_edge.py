"""Names that most readers get wrong: Joliet's surrogates, Rock Ridge's continued names and links.

Bytes are assembled by hand; the text expected of them is that of Unicode's own tables (UTF-16, D91) and
of RRIP 4.1.3, 4.1.4.
"""

import stat

import pytest

from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes
from tests.analyze.isobytes import SECTOR, Disc, ce, descriptor, nm, px, record, sl, sp, terminator
from tests.analyze.isobytes import susp as entry_bytes

FOLDER, LINK = stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def walked(view):
    """Entries in order, and the anomalies."""
    nouns = list(view.walk())
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    return entries, [noun for noun in nouns if isinstance(noun, Anomaly)]


def joliet(*identifiers, flags=0):
    """What the Joliet view of a disc with these identifiers lists."""
    disc = Disc(80).primary([])
    size = disc.tree([record(one, 30, 5, flags=flags) for one in identifiers], own=40)
    root = record(b"\0", 40, size, flags=2)
    disc.put(17, descriptor(root, kind=2, escape=b"%/E", blocks=80, path_l=18, path_m=19))
    disc.put(18, b"\1\0" + (40).to_bytes(4, "little") + b"\1\0\0\0")
    disc.put(19, b"\1\0" + (40).to_bytes(4, "big") + b"\0\1\0\0")
    disc.put(21, terminator())
    # The primary view shares the place of the path tables; only the Joliet one is looked at here.
    views = [noun for noun in open_volumes(disc.image, 0, 1, 0) if not isinstance(noun, Anomaly)]
    (view,) = (one for one in views if one.info.kind == "joliet")
    return walked(view)


def rock(use, **fields):
    """One file whose system use area is `use`, on a disc with SP."""
    return Disc(80).primary([record(b"A.;1", 30, 5, use=use, **fields)], root_use=sp() + px(FOLDER))


def only(disc):
    """The only entry of the only view, and the anomalies."""
    (view,) = (noun for noun in open_volumes(disc.image, 0, 1, 0) if not isinstance(noun, Anomaly))
    (entry,), anomalies = walked(view)
    return entry, anomalies


def codes(anomalies):
    """The codes alone, in order."""
    return [note.code for note in anomalies]


class TestJolietNames:
    """Joliet: identifiers of 16-bit units, most significant byte first."""

    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            ("0041", "A"),
            ("00e9", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
            ("00650301", "e\N{COMBINING ACUTE ACCENT}"),
            ("65e5672c", "\N{CJK UNIFIED IDEOGRAPH-65E5}\N{CJK UNIFIED IDEOGRAPH-672C}"),
            ("d83ddcbf", "\N{OPTICAL DISC}"),
            ("d800dc00", "\N{LINEAR B SYLLABLE B008 A}"),
            ("dbffdffd", "\U0010fffd"),
            ("fffd", "\N{REPLACEMENT CHARACTER}"),
            ("feff0041", "\ufeffA"),
            ("fffe0041", "\ufffeA"),
            ("002e0061", ".a"),
            ("0061003b0031", "a"),
            ("0061003b0032", "a;2"),
            ("0061002e003b0031", "a."),
            ("0020", " "),
        ],
    )
    def test_text(self, raw, name):
        """Whole characters are shown as they are; nothing is normalised, nothing taken for a byte order."""
        (entry,), anomalies = joliet(bytes.fromhex(raw))
        assert entry.name == name
        assert entry.path == "/" + name
        assert entry.name_raw is None
        assert anomalies == []

    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            ("d83d", "\\ud83d"),
            ("dcbf", "\\udcbf"),
            ("0061d83d", "a\\ud83d"),
            ("d83d0061", "\\ud83da"),
            ("dcbfd83d", "\\udcbf\\ud83d"),
            ("d83dd83ddcbf", "\\ud83d\N{OPTICAL DISC}"),
            ("d83ddcbfdcbf", "\N{OPTICAL DISC}\\udcbf"),
            ("dc00003b0031", "\\udc00"),
        ],
    )
    def test_half_a_pair(self, raw, name):
        r"""It stands as \uNNNN, the recorded bytes go with it, and it is said; the name encodes as UTF-8."""
        (entry,), anomalies = joliet(bytes.fromhex(raw))
        assert entry.name == name
        assert entry.name_raw == bytes.fromhex(raw)
        assert entry.path.encode("utf-8")
        assert codes(anomalies) == ["iso-name"]
        assert "surrogate" in anomalies[0].message

    @pytest.mark.parametrize(("raw", "name"), [("006100", "a\\x00"), ("0061ff", "a\\xff")])
    def test_half_a_character(self, raw, name):
        r"""An odd number of bytes: the last stands as \xNN, and it is said."""
        (entry,), anomalies = joliet(bytes.fromhex(raw))
        assert entry.name == name
        assert entry.name_raw == bytes.fromhex(raw)
        assert codes(anomalies) == ["iso-name"]

    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            ("0061002f0062", "a\\x2fb"),
            ("006100000062", "a\\x00b"),
            ("002e002e", "\\x2e\\x2e"),
            ("002e", "\\x2e"),
        ],
    )
    def test_a_name_that_would_lead_elsewhere(self, raw, name):
        """A slash, NUL and the two names of directories themselves never stand in a path."""
        (entry,), anomalies = joliet(bytes.fromhex(raw))
        assert entry.name == name
        assert entry.path.count("/") == 1
        assert entry.name_raw == bytes.fromhex(raw)
        assert codes(anomalies) == ["iso-name"]

    def test_the_longest_identifier_a_record_holds(self):
        """9.1.1: a record is at most 254 bytes here, so 110 units: more than Joliet's 64, all shown."""
        (entry,), _ = joliet("x".encode("utf-16-be") * 110)
        assert entry.name == "x" * 110

    def test_names_that_differ_only_in_normal_form_are_two(self):
        """Composed and decomposed letters are different names; no duplicate is said."""
        entries, anomalies = joliet(bytes.fromhex("00650301"), bytes.fromhex("00e9"))
        assert len({one.name for one in entries}) == 2
        assert anomalies == []


class TestContinuedNames:
    """RRIP 4.1.4: CONTINUE in one NM, the rest in the next."""

    @pytest.mark.parametrize("cut", range(1, 9))
    def test_cut_anywhere_also_inside_a_character(self, cut):
        """The pieces are bytes: a character of four may be half in one NM and half in the next."""
        raw = "a\N{OPTICAL DISC}\N{LATIN SMALL LETTER E WITH ACUTE}zz".encode()
        entry, anomalies = only(rock(nm(raw[:cut], 1) + nm(raw[cut:])))
        assert entry.name == "a\N{OPTICAL DISC}\N{LATIN SMALL LETTER E WITH ACUTE}zz"
        assert entry.name_raw is None
        assert anomalies == []

    def test_other_entries_between_the_pieces(self):
        """The order of the NM entries counts, not that they touch."""
        entry, anomalies = only(rock(nm(b"one ", 1) + px(0o100644) + nm(b"two ", 1) + nm(b"three")))
        assert (entry.name, entry.mode) == ("one two three", 0o100644)
        assert anomalies == []

    def test_empty_pieces(self):
        """A piece of no bytes adds nothing."""
        entry, anomalies = only(rock(nm(b"", 1) + nm(b"a", 1) + nm(b"", 1) + nm(b"b")))
        assert entry.name == "ab"
        assert anomalies == []

    def test_255_bytes_over_two_continuation_areas(self):
        """SUSP 5.1: the longest name of POSIX, none of it in the record itself."""
        name = b"n" * 255
        second = nm(name[200:])
        first = nm(name[:200], 1) + ce(51, 7, len(second))
        disc = rock(ce(50, 1000, len(first))).put(50, first, offset=1000).put(51, second, offset=7)
        entry, anomalies = only(disc)
        assert entry.name == "n" * 255
        assert anomalies == []

    @pytest.mark.parametrize("flag", [2, 4])
    def test_a_name_that_stands_for_a_directory_itself(self, flag):
        """4.1.4 CURRENT and PARENT on a file: shown so that no path leads out, and said."""
        entry, anomalies = only(rock(nm(b"", flag)))
        assert entry.name == {2: "\\x2e", 4: "\\x2e\\x2e"}[flag]
        assert codes(anomalies) == ["iso-name"]


class TestLinkComponents:
    """RRIP 4.1.3.1: the flags of a component and where it goes on."""

    @pytest.mark.parametrize(
        ("components", "target"),
        [
            ([(2, b"")], "."),
            ([(4, b"")], ".."),
            ([(8, b""), (4, b""), (0, b"x")], "/../x"),
            ([(0, b"a"), (4, b""), (0, b"b"), (2, b"")], "a/../b/."),
            ([(1, b"a"), (1, b"b"), (1, b"c"), (0, b"d")], "abcd"),
            ([(1, b"a"), (0, b""), (0, b"b")], "a/b"),
            ([(8, b""), (1, b"us"), (0, b"r"), (1, b"li"), (0, b"b")], "/usr/lib"),
            ([(1, b"\xf0\x9f"), (0, b"\x92\xbf")], "\N{OPTICAL DISC}"),
            ([(0, b"..")], ".."),
        ],
    )
    def test_flags(self, components, target):
        """Flags decide before content does; CONTINUE joins with no slash, also inside a character."""
        entry, anomalies = only(rock(px(LINK) + sl(*components)))
        assert (entry.kind, entry.link_target) == (EntryKind.SYMLINK, target)
        assert anomalies == []

    @pytest.mark.parametrize("cut", range(1, 6))
    def test_a_component_over_two_entries(self, cut):
        """CONTINUE of the component, not that of the SL, says that no slash comes between."""
        text = b"target"
        whole = sl((0, b"d"), (1, text[:cut]), flags=1) + sl((0, text[cut:]))
        apart = sl((0, b"d"), (0, text[:cut]), flags=1) + sl((0, text[cut:]))
        assert only(rock(px(LINK) + whole))[0].link_target == "d/target"
        cut_text = text.decode()
        assert only(rock(px(LINK) + apart))[0].link_target == f"d/{cut_text[:cut]}/{cut_text[cut:]}"

    def test_over_continuation_areas(self):
        """A target of which every component is in an area of its own."""
        last = sl((0, b"c"))
        middle = sl((0, b"b"), flags=1) + ce(52, 0, len(last))
        disc = rock(px(LINK) + sl((8, b""), (0, b"a"), flags=1) + ce(51, 2000, len(middle)))
        entry, anomalies = only(disc.put(51, middle, offset=2000).put(52, last))
        assert entry.link_target == "/a/b/c"
        assert anomalies == []

    def test_a_link_without_components(self):
        """SL with its flags only: a link whose target is empty, not a file."""
        entry, _ = only(rock(px(LINK) + sl()))
        assert (entry.kind, entry.link_target) == (EntryKind.SYMLINK, "")


class TestContinuationAreas:
    """SUSP 5.1: what a CE may lead to."""

    @pytest.mark.parametrize("length", [2, 3, 5])
    def test_a_ring_of_areas(self, length):
        """Each leads to the next and the last to the first: every one is read once, and it is said."""
        disc = rock(ce(50, 0, 34))
        for number in range(length):
            disc.put(50 + number, nm(b"%d" % number, 1) + ce(50 + (number + 1) % length, 0, 34))
        entry, anomalies = only(disc)
        assert entry.name == "".join(map(str, range(length)))
        assert codes(anomalies) == ["iso-susp-continuation"]

    def test_an_area_over_the_end_of_the_image(self):
        """What is inside is read; that the rest is outside is said."""
        disc = rock(ce(79, SECTOR - 10, 40)).put(79, nm(b"name"), offset=SECTOR - 10)
        entry, anomalies = only(disc)
        assert entry.name == "name"
        assert "iso-susp-continuation" in codes(anomalies)

    @pytest.mark.parametrize("offset", [0, 1, 2040, 2047, 2048, 5000])
    def test_anywhere_in_or_behind_its_block(self, offset):
        """The offset counts bytes from the block's begin and may lead past its end."""
        disc = rock(ce(50, offset, 9)).put(50, nm(b"abcd"), offset=offset)
        entry, anomalies = only(disc)
        assert entry.name == "abcd"
        assert anomalies == []

    def test_two_areas_of_one_record(self):
        """They are read in the order of their CE entries, after the record's own."""
        disc = rock(ce(50, 0, 6) + ce(51, 0, 6) + nm(b"own ", 1))
        entry, _ = only(disc.put(50, nm(b"x", 1)).put(51, nm(b"y")))
        assert entry.name == "own xy"

    def test_an_area_of_no_bytes(self):
        """Nothing to read, nothing to say."""
        entry, anomalies = only(rock(nm(b"n") + ce(50, 0, 0)))
        assert entry.name == "n"
        assert anomalies == []

    def test_behind_a_terminator_nothing_is_read(self):
        """SUSP 5.4: ST ends the area it stands in."""
        disc = rock(ce(50, 0, 20)).put(50, nm(b"a", 1) + entry_bytes(b"ST", b"") + nm(b"b"))
        assert only(disc)[0].name == "a"
