"""The case: its folder, its database, its custody log. The only writer and the only SQL."""
