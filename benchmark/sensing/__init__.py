"""What is measured in recordings, for the extractors in benchmark/features."""
