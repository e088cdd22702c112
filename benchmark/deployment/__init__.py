"""A trained student in use, away from the benchmark."""
