"""HFS (Inside Macintosh: Files, chapter 2) and HFS+/HFSX (Apple Technical Note TN1150)."""
