"""The structural loss solved to the end in double precision: what gradients are compared with."""

import torch
from torch import Tensor

TOLERANCE = 1e-7  # of the row masses, which sum to 1
MOST = 400_000  # iterations


def gradient(teacher: Tensor, student: Tensor, k: int, epsilon: float, shift: str) -> tuple[Tensor, float]:
    """Gradient of the debiased divergence with respect to the student (B, D), float64, and the error of the masses.

    Cosine similarities of the teacher choose the k least similar columns of each row; shift: affine, or released (each
    matrix less its own minimum). The plans are held fixed when differentiating, as the optimum allows.
    """
    truth, z = teacher.double(), student.double().requires_grad_()
    x, y = descriptions(truth, z, k, shift)
    loss, worst = 0.0, 0.0
    for (a, b), share in (((x, y), 1.0), ((y, y), -0.5)):  # the teacher's own transport has no gradient
        cost = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square() / 2 if a is not b else own(a)
        plan, error = converged(cost.detach(), epsilon, symmetric=a is b)
        loss, worst = loss + share * (plan * cost).sum(), max(worst, error)
    return torch.autograd.grad(loss, z)[0], worst


def own(points: Tensor) -> Tensor:
    """Half squared distances of points to each other; cdist has no gradient where they are zero."""
    products = points @ points.T
    return (products.diagonal()[:, None] + products.diagonal()[None, :]) / 2 - products


def descriptions(teacher: Tensor, student: Tensor, k: int, shift: str) -> tuple[Tensor, Tensor]:
    """Shifted similarities of every row to the k rows least similar to it for the teacher: (B, k) each."""
    units = [z / z.norm(dim=1, keepdim=True) for z in (teacher, student)]
    first, second = (unit @ unit.T for unit in units)
    far = first.argsort(dim=1)[:, :k]
    if shift == "released":
        return (first - first.min()).gather(1, far), (second - second.min()).gather(1, far)
    return 1 + first.gather(1, far), 1 + second.gather(1, far)


def converged(cost: Tensor, epsilon: float, symmetric: bool) -> tuple[Tensor, float]:
    """The entropic plan between uniform masses, and by how much its row masses are off in total.

    Sinkhorn's iterations from a large regulariser down to epsilon; every 50 of them the kernel takes the potentials in.
    """
    rows, columns = cost.shape
    f, g, level, done = cost.new_zeros(rows), cost.new_zeros(columns), max(float(cost.max()) / 20, epsilon), 0
    while True:
        kernel = ((f[:, None] + g[None, :] - cost) / level).exp() / (rows * columns)
        u, v = cost.new_ones(rows), cost.new_ones(columns)
        for _ in range(50):
            if symmetric:
                u = v = (u / (rows * (kernel @ u))).sqrt()
            else:
                u = 1 / (rows * (kernel @ v))
                v = 1 / (columns * (kernel.T @ u))
        plan = u[:, None] * kernel * v[None, :]
        f, g, done = f + level * u.log(), g + level * v.log(), done + 50
        error = float((plan.sum(1) - 1 / rows).abs().sum())
        if level == epsilon and (error < TOLERANCE or done >= MOST):
            return plan, error
        if error < 1e-2:
            level = max(level / 2, epsilon)
