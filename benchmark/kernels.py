"""Kernels between embeddings."""

import torch
from torch import Tensor

from benchmark.ot import half_squared_distances

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # as shares of the mean squared distance within the reference


def gaussian(halves: Tensor, scale: Tensor) -> Tensor:
    """Mean of Gaussian kernels exp(-d^2 / (2 b scale)) over BANDWIDTHS b, 0 to 1. halves: d^2 / 2 (n, m) -> (n, m)."""
    return torch.stack([torch.exp(-halves / (b * scale)) for b in BANDWIDTHS]).mean(0)


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of x (n, D) and the reference y (m, D), biased, scalar from 0.

    Gretton et al. 2012, JMLR 13, equation 5; bandwidths from the mean squared distance within y.
    """
    y = y.detach()
    within = half_squared_distances(y, y)
    scale = 2 * within.mean().clamp_min(1e-6)
    same = gaussian(half_squared_distances(x, x), scale).mean() + gaussian(within, scale).mean()
    return same - 2 * gaussian(half_squared_distances(x, y), scale).mean()


def cka(x: Tensor, y: Tensor) -> Tensor:
    """Linear centred kernel alignment of x (n, D) and y (n, E), 0 to 1 (Kornblith et al. 2019, ICML, equation 4)."""
    x, y = x - x.mean(0), y - y.mean(0)
    scale = ((x.T @ x).norm() * (y.T @ y).norm()).clamp_min(1e-12)
    return (x.T @ y).square().sum() / scale
