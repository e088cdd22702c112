"""How fast: every comparison side by side on one machine."""
