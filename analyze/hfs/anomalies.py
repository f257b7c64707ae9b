"""Anomaly codes of HFS and HFS+; docs/reference/anomalies.md says the same in words."""

from analyze.anomaly import AnomalyKind

CODES: tuple[AnomalyKind, ...] = (
    AnomalyKind(
        "hfs-alternate-header",
        "IM 2-60, TN1150 Volume Header",
        "The copy of the volume's description is missing or differs.",
    ),
    AnomalyKind(
        "hfs-catalog-record", "TN1150 Catalog File", "A catalog record is too short or of no known type."
    ),
    AnomalyKind(
        "hfs-count",
        "TN1150 Volume Header",
        "Another number of files or folders than the volume's description says.",
    ),
    AnomalyKind(
        "hfs-directory-loop", "TN1150 Catalog File", "A folder is its own ancestor; shown as an orphan."
    ),
    AnomalyKind(
        "hfs-extent-range", "TN1150 Extents", "An extent lies outside the volume's allocation blocks."
    ),
    AnomalyKind("hfs-extents-short", "TN1150 Extents", "A fork's extents hold fewer bytes than its size."),
    AnomalyKind(
        "hfs-leaf-chain", "TN1150 Leaf Nodes", "The chain of leaf nodes is broken or runs in a loop."
    ),
    AnomalyKind("hfs-link-target", "TN1150 Hard Links", "A hard link names a file that is not there."),
    AnomalyKind(
        "hfs-node-kind", "TN1150 Node Descriptor", "A node is not of the kind that its place asks for."
    ),
    AnomalyKind(
        "hfs-node-records", "TN1150 Node Structure", "A node's record count or offsets are impossible."
    ),
    AnomalyKind("hfs-parent-missing", "TN1150 Catalog File", "The folder of an entry is not there."),
    AnomalyKind(
        "hfs-record-count",
        "TN1150 Header Record",
        "Another number of leaf records than the tree's header says.",
    ),
    AnomalyKind("hfs-tree-size", "TN1150 Header Record", "A tree counts more nodes than its fork holds."),
    AnomalyKind("hfs-tree-unreadable", "TN1150 Header Record", "A tree's header node cannot be used."),
)
