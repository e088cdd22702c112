"""What is measured in recordings, for the extractors in benchmark/features."""

import os

from benchmark.reading import sizes

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(sizes.PIXELS))  # read when OpenCV is loaded
