"""Bytes: drives, containers and images, read by position and never written to."""
