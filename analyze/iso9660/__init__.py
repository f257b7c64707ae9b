"""ISO 9660 (ECMA-119) with Joliet and Rock Ridge (SUSP)."""
