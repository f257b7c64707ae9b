"""Every other file system (FAT, exFAT, NTFS, ext, UFS, YAFFS2, APFS …) through The Sleuth Kit.

The library is C code that is known to hang and to be slow on damaged input, so it runs in a process
of its own that asks for bytes and can be killed.
"""
