"""Anomaly codes of file systems read through The Sleuth Kit (docs/reference/anomalies.md)."""

from analyze.anomaly import AnomalyKind

PROBLEM = AnomalyKind(
    "tsk-problem", "The Sleuth Kit", "The library could not read a directory or entry, or met a limit."
)
ENDED = AnomalyKind(
    "tsk-ended",
    "The Sleuth Kit",
    "The library's process ended early or was ended; the list of entries may not be whole.",
)

CODES: tuple[AnomalyKind, ...] = (PROBLEM, ENDED)
