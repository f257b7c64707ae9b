"""Each error is one sentence: what, where, what to do."""

import errno
import os

import pytest

from acquire.errors import (
    DestinationError,
    DiskFullError,
    JewelcaseError,
    SourceError,
    destination_error,
    source_error,
)


def _os_error(number):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskFullError, "No space left"),
        (errno.EDQUOT, DiskFullError, "goes on where it stopped"),
        (errno.EROFS, DestinationError, "read-only"),
        (errno.EACCES, DestinationError, "No permission to write"),
        (errno.EIO, DestinationError, "Input/output error"),
    ],
)
def test_failures_to_write_say_what_where_and_what_to_do(number, kind, words):
    error = destination_error(_os_error(number), "/cases/7/evidence")
    assert type(error) is kind
    assert words in str(error)
    assert ": /cases/7/evidence. " in str(error)
    assert error.exit_code == 2
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "No such file or device"),
        (errno.EACCES, "No permission to read"),
        (errno.ENOMEDIUM, "No disc in the drive"),
        (errno.EISDIR, "A folder, not a disc image"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_failures_to_open_a_source_do_too(number, words):
    error = source_error(_os_error(number), "/dev/sr9")
    assert type(error) is SourceError
    assert words in str(error)
    assert ": /dev/sr9. " in str(error)


def test_a_sentence_without_a_place_or_remedy_is_just_the_sentence():
    assert str(JewelcaseError("Nothing to do")) == "Nothing to do"
    assert str(JewelcaseError("Nothing to do", where="here")) == "Nothing to do: here"
