"""Foreign files: what the owners of datasets distribute, read without trust."""
