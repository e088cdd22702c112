"""Loss terms against what they declare, on made-up embeddings; a new term is judged without an edit here.

A term declares in PROPERTIES what it claims; what it does not claim must not hold either:
`zero` (0 where the student is the teacher) or `minimal` (smallest there); unchanged by a `rotation` of the student's
embeddings, by a positive `scale`, by a `translation`, by the `order` of its clips, or by a `logit_shift`, a constant
added to the logits of a clip.
"""

import torch
from torch import Tensor
from torch.func import functional_call

from benchmark import plugins
from benchmark.models import WIDTH, Lesson, Output
from benchmark.objectives import reason
from benchmark.validation.page import Section

EXPLANATION = """Every file of `benchmark/losses`, in double precision, on 12 clips of random embeddings and the kinds \
of task it is fit for. Inside: at the teacher the value is 0 or smallest as declared, what is declared leaves the \
value as it is and nothing else does, the gradient is that of finite differences to 1e-4 and reaches the student."""

KINDS = {"classification": 5, "ordinal": 5, "regression": 2}  # outputs
PRIVILEGED = 2  # of three slots
MOVES = {"rotation": {"z"}, "scale": {"z"}, "translation": {"z"}, "logit_shift": {"prediction"}}  # what they move
MOVES["order"] = {"z", "prediction", "tokens"}
CONVERGED = {"iterations": 3000, "epsilon": 0.1}  # for exact gradients of terms that have these options


def outputs(seed: int, kind: str, batch: int = 12, dtype: torch.dtype = torch.float64) -> Output:
    rng = torch.Generator().manual_seed(seed)
    shapes = (batch, KINDS[kind]), (batch, WIDTH), (batch, 1 + PRIVILEGED, WIDTH)
    values = [torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype) for shape in shapes]
    return Output(*values, torch.rand(batch, 1 + PRIVILEGED, generator=rng) < 0.8)


def targets(kind: str, batch: int = 12, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    if kind == "regression":
        return torch.randn(batch, KINDS[kind], generator=rng, dtype=torch.float64)
    return torch.randint(KINDS[kind], (batch,), generator=rng)


class Term:
    """A term as the objective calls it, with a fixed Adapter where it has one."""

    def __init__(self, name: str, kind: str, dtype: torch.dtype = torch.float64, seed: int = 0, **options):
        self.name, self.kind, self.module = name, kind, plugins.load("losses", name)
        self.options, self.adapter = self.module.Options(**options), None
        if hasattr(self.module, "Adapter"):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.adapter = self.module.Adapter(self.options).to(dtype)

    def __call__(self, student: Output, teacher: Output, target: Tensor, own: dict | None = None) -> Tensor:
        adapted = ()
        if self.adapter:
            weights = dict(self.adapter.named_parameters()) if own is None else own
            adapted = functional_call(self.adapter, weights, (student, teacher))
        return self.module.loss(student, teacher, self.options, Lesson(self.kind, target, PRIVILEGED, adapted))


def reaches(term: Term, batch: int = 12) -> set[str]:
    """The fields of the student's output that a term sends a gradient to."""
    student = requiring(outputs(1, term.kind, batch))
    value = term(student, outputs(0, term.kind, batch), targets(term.kind, batch))
    gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
    return {field for field, g in zip(Output._fields, gradients, strict=False) if g is not None and g.norm() > 1e-9}


def requiring(output: Output) -> Output:
    return Output(*(values.detach().clone().requires_grad_() for values in output[:3]), output.seen)


def moved(student: Output, move: str) -> Output:
    rng = torch.Generator().manual_seed(7)
    if move == "order":
        order = torch.randperm(len(student.z), generator=rng)
        return student._replace(z=student.z[order], prediction=student.prediction[order], tokens=student.tokens[order])
    if move == "logit_shift":
        shift = torch.randn(len(student.z), 1, generator=rng, dtype=student.z.dtype)
        return student._replace(prediction=student.prediction + shift)
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=rng, dtype=student.z.dtype)).Q
    constant = torch.randn(WIDTH, generator=rng, dtype=student.z.dtype)
    z = {"rotation": student.z @ rotation, "scale": 1.7 * student.z, "translation": student.z + constant}[move]
    return student._replace(z=z)


def steepness(term: Term, student: Output, teacher: Output, target: Tensor) -> tuple[float, float]:
    """Value of a term and norm of its gradient."""
    student = requiring(student)
    value = term(student, teacher, target)
    gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
    return value.item(), sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5


def slopes(name: str, kind: str) -> tuple[float, float]:
    """Derivative of a term along a random direction of the student: by its gradient, and by finite differences."""
    patient = {key: CONVERGED[key] for key in plugins.load("losses", name).Options.model_fields if key in CONVERGED}
    term, teacher, target = Term(name, kind, **patient), outputs(0, kind), targets(kind)
    student, along, step = requiring(outputs(1, kind)), outputs(2, kind), 1e-6
    gradients = torch.autograd.grad(term(student, teacher, target), student[:3], allow_unused=True)
    slope = sum(float((g * a).sum()) for g, a in zip(gradients, along[:3], strict=True) if g is not None)
    sides = [
        Output(*(s.detach() + sign * step * a for s, a in zip(student[:3], along[:3], strict=True)), student.seen)
        for sign in (1, -1)
    ]
    above, below = (term(side, teacher, target).item() for side in sides)
    return slope, (above - below) / (2 * step)


def section() -> Section:
    """A row per term: on ordinal classes, with the verdict over all kinds of task that it is fit for."""
    return Section("Loss terms", EXPLANATION, [row(name) for name in plugins.names("losses")])


def row(name: str) -> dict:
    module, term, teacher = plugins.load("losses", name), Term(name, "ordinal"), outputs(0, "ordinal")
    same, other = (
        steepness(term, student, teacher, targets("ordinal")) for student in (teacher, outputs(1, "ordinal"))
    )
    slope, numeric = slopes(name, "ordinal")
    kinds = [kind for kind, count in KINDS.items() if not reason(name, kind, count)]
    return {
        "term": name,
        "published weight": module.Options().weight,
        "at the teacher": same[0],
        "at another student": other[0],
        "gradient there": other[1],
        "slope": slope,
        "by finite differences": numeric,
        "declared": ", ".join(sorted(module.PROPERTIES)),
        "fit for": ", ".join(kinds),
        "verdict": "inside" if all(keeps(name, kind) for kind in kinds) else "outside",
    }


def keeps(name: str, kind: str) -> bool:
    """Whether a term is what it declares on a kind of task."""
    term, teacher, student, target = Term(name, kind), outputs(0, kind), outputs(1, kind), targets(kind)
    (same, level), (value, slope) = (steepness(term, own, teacher, target) for own in (teacher, student))
    best = bool({"zero", "minimal"} & term.module.PROPERTIES)
    by_gradient, numeric = slopes(name, kind)
    return all([
        (same < value and level < 1e-2 * slope) if best else level > 1e-2 * slope,
        ("zero" in term.module.PROPERTIES) == (abs(same) < 1e-4),
        *(unchanged(term, move) == (move in term.module.PROPERTIES) for move in moves(term)),
        abs(by_gradient - numeric) <= 1e-4 * abs(numeric) + 1e-8,
        slope > 1e-9,
    ])  # fmt: skip


def moves(term: "Term") -> list[str]:
    """The moves that touch what a term looks at."""
    seen = reaches(term)
    return [m for m, fields in MOVES.items() if fields & seen and (m, term.kind) != ("logit_shift", "regression")]


def unchanged(term: "Term", move: str) -> bool:
    """Whether a move of the student leaves a term's value as it is, to 1e-6."""
    teacher, student, target = outputs(0, term.kind), outputs(1, term.kind), targets(term.kind)
    before, after = (term(own, teacher, target).item() for own in (student, moved(student, move)))
    return abs(after - before) <= 1e-6 * abs(before) + 1e-9
