"""Digests against the values that RFC 1321, FIPS 180 and RFC 7693 print."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from acquire.digest import DEFAULT_DIGESTS, DIGESTS, MultiDigest, new_digest, one_shot
from acquire.errors import UsageError

ABC = {
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "blake2b": "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
}


@pytest.mark.parametrize("threads", [False, True])
def test_every_digest_has_its_published_value(threads):
    """The text abc, fed in two pieces, with and without threads, as bytes and as memoryview."""
    many = MultiDigest(DIGESTS, threads=threads)
    many.update(b"a")
    many.update(memoryview(b"xbcx")[1:3])
    assert many.hexdigests() == ABC
    many.close()


def test_threads_of_a_given_pool_are_left_to_its_owner():
    """Many small runs may share threads; closing one leaves them to the others."""
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            many = MultiDigest(DIGESTS, pool=pool)
            many.update(b"abc")
            many.close()
            assert many.hexdigests() == ABC


def test_three_digests_by_default():
    """MD5, SHA-1 and SHA-256: what the field compares with, and one that is not broken."""
    assert DEFAULT_DIGESTS == ("md5", "sha1", "sha256")
    assert list(MultiDigest().hexdigests()) == ["md5", "sha1", "sha256"]


def test_an_unknown_digest_is_said_with_the_choices():
    with pytest.raises(UsageError, match=r"Unknown digest 'crc32'\. Choose from md5, sha1"):
        new_digest("crc32")


def test_one_shot_gives_what_a_multi_digest_gives():
    """The short way for small content has the same digests, of bytes and of views."""
    many = MultiDigest(DIGESTS)
    many.update(b"abc")
    assert one_shot(DIGESTS)(b"abc") == one_shot(DIGESTS)(memoryview(b"xabcx")[1:4]) == many.hexdigests()
    assert one_shot(("sha1",))(b"abc") == {"sha1": "a9993e364706816aba3e25717850c26c9cd0d89d"}
    with pytest.raises(UsageError):
        one_shot(("crc7",))
