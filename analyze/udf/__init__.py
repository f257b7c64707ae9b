"""UDF 1.02 to 2.60 (OSTA Universal Disk Format, a profile of ECMA-167), on every kind of medium."""
