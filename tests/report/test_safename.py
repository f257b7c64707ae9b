"""Names from evidence become names that every file system takes."""

import os

from hypothesis import given
from hypothesis import strategies as st

from report.safename import MOST_NAME_BYTES, Folder, safe_name


def test_ordinary_names_stay_as_they_are():
    for name in ("README.TXT", "café menü.doc", "名前.txt", ".hidden", "a+b (2).tar.gz", "x~1"):
        assert safe_name(name) == name


def test_names_that_leave_the_folder_do_not():
    """Parents, roots, drives and separators lose what makes them act."""
    assert safe_name("..") == "__"
    assert safe_name(".") == "_"
    assert safe_name("") == "_"
    assert safe_name("../../etc/passwd") == ".._.._etc_passwd"
    assert safe_name("C:\\autoexec.bat") == "C__autoexec.bat"


def test_names_that_windows_keeps_for_itself():
    """Reserved names, alone or with an extension, in any case; trailing dots and spaces."""
    assert safe_name("con") == "_con"
    assert safe_name("Lpt1.txt") == "_Lpt1.txt"
    assert safe_name("COM¹") == "_COM¹"
    assert safe_name("console") == "console"
    assert safe_name("name. .") == "name___"


def test_characters_that_act_or_hide():
    """Terminal escapes, direction marks, zero-width characters and line ends."""
    assert safe_name("a\x1b[31mb") == "a_[31mb"
    assert safe_name("photo\u202egpj.exe") == "photo_gpj.exe"
    assert safe_name("a\u200bb\nc\0d\u2028") == "a_b_c_d_"


def test_long_names_keep_their_extension_and_stay_apart():
    one, two = safe_name("x" * 300 + "1.jpeg"), safe_name("x" * 300 + "2.jpeg")
    assert one != two
    assert one.endswith(".jpeg")
    assert len(one.encode()) == MOST_NAME_BYTES
    assert len(safe_name("ü" * 300).encode()) <= MOST_NAME_BYTES


def test_no_two_files_differ_only_in_case_or_composition():
    """A folder copied to Windows or macOS keeps every file; the same file keeps its name."""
    folder = Folder()
    assert folder.name_for("Readme.txt", 1) == "Readme.txt"
    assert folder.name_for("README.TXT", 2) == "README (2).TXT"
    assert folder.name_for("readme.txt", 3) == "readme (3).txt"
    assert folder.name_for("README.TXT", 2) == "README (2).TXT"
    assert folder.name_for("e\u0301", 4) == "e\u0301"
    assert folder.name_for("é", 5) == "é (2)"


@given(st.text(max_size=400))
def test_any_name_makes_a_file(name):
    """One component, short enough, not reserved, writable by the kernel's own rules."""
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert "/" not in safe
    assert "\0" not in safe
    assert len(safe.encode()) <= MOST_NAME_BYTES
    assert os.path.basename(safe) == safe  # noqa: PTH119  it is text, not a path
    assert safe_name(safe) == safe
