"""What is on a disc: volumes, entries, anomalies, findings. Yields nouns, writes nothing."""
