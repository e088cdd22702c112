"""Affect-PKD: privileged knowledge distillation for affect, measured when modalities go missing."""
