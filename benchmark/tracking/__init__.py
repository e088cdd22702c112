"""MLflow: what it shall hold, and how it comes to."""
