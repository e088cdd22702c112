"""Networks: encoders, mid-fusion and the T-Net. Written for one replica; `train` stacks many of them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

WIDTH = 32  # of every embedding
HEADS = 2
LIMIT = 5.0  # standardised inputs are clipped here: one broken sensor value must not steer a network


class Output(NamedTuple):
    """What a network says of a batch."""

    prediction: Tensor  # (B, outputs): logits, or standardised values
    z: Tensor  # (B, WIDTH) joint embedding
    tokens: Tensor  # (B, slots, WIDTH) what is fused: prevalent modalities first, then seen or imagined privileged ones
    seen: Tensor  # (B, slots) bool: which of them took part


class Lesson(NamedTuple):
    """What a loss term may know of a batch beside the student and its teacher."""

    kind: str  # of the task: classification, ordinal or regression
    target: Tensor  # (B,) class index, or (B, targets) standardised values
    privileged: int  # how many slots of the teacher, the last ones, hold privileged modalities
    adapted: Tensor | tuple[Tensor, ...] = ()  # what the term's own Adapter makes of student and teacher


class Standardise(nn.Module):
    """Training-fold standardisation, kept with the weights; a missing value becomes the training mean."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    def fit(self, x: Tensor) -> None:
        """Statistics of training clips x (N, ..., features), NaN where not measured."""
        rows = x.reshape(-1, x.shape[-1])
        self.mean.copy_(rows.nanmean(0).nan_to_num(0.0))
        deviation = (rows - self.mean).square().nanmean(0).sqrt().nan_to_num(0.0)
        self.deviation.copy_(torch.where(deviation > 1e-8, deviation, torch.ones_like(deviation)))

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.deviation).nan_to_num(0.0).clamp(-LIMIT, LIMIT)


class Encoder(nn.Module):
    """Pooled features (B, features) -> embedding (B, WIDTH)."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.standardise = Standardise(shape[-1:])
        self.layers = nn.Sequential(nn.Linear(shape[-1], 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layers(self.standardise(x)))


class TemporalEncoder(nn.Module):
    """Features by segment (B, segments, features) -> embedding (B, WIDTH), by convolution over segments."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.standardise = Standardise(shape[-1:])
        self.first = nn.Conv1d(shape[-1], 2 * WIDTH, kernel_size=3, padding=1)
        self.second = nn.Conv1d(2 * WIDTH, WIDTH, kernel_size=3, padding=1)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(self.standardise(x).transpose(-1, -2)).relu()
        return self.norm(self.second(hidden).mean(-1))


ENCODERS = {"pooled": Encoder, "temporal": TemporalEncoder}


class MidFusion(nn.Module):
    """A transformer encoder layer over one token per modality; z is the mean of the visible tokens.

    Written out because torch's own layer has no batching rule under vmap for its fused attention. Attention runs
    over the modalities of one clip, never over the clips of a batch.
    """

    def __init__(self, slots: int):
        super().__init__()
        self.slot = nn.Parameter(torch.zeros(slots, WIDTH))  # draws nothing: weights do not depend on the slots
        self.attention_norm, self.feed_norm, self.out_norm = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.feed = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, tokens: Tensor, visible: Tensor) -> Tensor:
        """tokens (B, slots, WIDTH), visible (B, slots) bool -> z (B, WIDTH); a hidden token changes nothing."""
        tokens = torch.where(visible[..., None], tokens + self.slot, 0.0)
        tokens = tokens + self.attended(self.attend(self.attention_norm(tokens), visible))
        tokens = tokens + self.feed(self.feed_norm(tokens))
        weights = visible.to(tokens.dtype) / visible.sum(-1, keepdim=True).clamp_min(1)
        return self.out_norm((weights[..., None] * tokens).sum(-2))

    def attend(self, tokens: Tensor, visible: Tensor) -> Tensor:
        parts = self.query_key_value(tokens).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        query, key, value = parts.unbind(-3)  # each (B, slots, heads, width of a head)
        scores = torch.einsum("...qhd,...khd->...hqk", query, key) / (WIDTH // HEADS) ** 0.5
        scores = scores.masked_fill(~visible[..., None, None, :], -1e9)
        return torch.einsum("...hqk,...khd->...qhd", scores.softmax(-1), value).flatten(-2)


class TNet(nn.Module):
    """Transformation network: prevalent embeddings (B, p, WIDTH) -> privileged embeddings (B, q, WIDTH)."""

    def __init__(self, prevalent: int, privileged: int):
        super().__init__()
        self.privileged = privileged
        width = 4 * WIDTH
        self.layers = nn.Sequential(
            nn.Linear(prevalent * WIDTH, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, privileged * WIDTH),
        )  # fmt: skip

    def forward(self, tokens: Tensor, visible: Tensor) -> Tensor:
        known = torch.where(visible[..., None], tokens, 0.0)
        return self.layers(known.flatten(-2)).unflatten(-1, (self.privileged, WIDTH))


class Hallucinator(nn.Module):
    """Prevalent encoders and a T-Net: what a student may use in place of privileged input."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], privileged: tuple[str, ...], encoder: str):
        super().__init__()
        self.encoders = nn.ModuleDict({name: ENCODERS[encoder](shape) for name, shape in shapes.items()})
        self.tnet = TNet(len(shapes), len(privileged))
        self.privileged = privileged

    def embed(self, x: dict[str, Tensor]) -> Tensor:
        return torch.stack([encode(x[name]) for name, encode in self.encoders.items()], dim=-2)

    def forward(self, x: dict[str, Tensor], visible: Tensor) -> Tensor:
        """visible (B, prevalent modalities) -> hallucinated tokens (B, privileged modalities, WIDTH)."""
        return self.tnet(self.embed(x), visible)


class Network(nn.Module):
    """Teacher or student: encoders of the modalities it may see, mid-fusion, head.

    With a hallucinator, the slots of privileged modalities that are not visible hold what the T-Net imagines.
    The order of the slots is that of `shapes`, then the hallucinated ones that have no encoder here. An absent
    modality is a masked token, or, as `absent` says, filled in with zeros or the training mean as if it were there.
    """

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]],
        outputs: int,
        encoder: str,
        hallucinator: Hallucinator | None = None,
        absent: str = "mask",
    ):
        super().__init__()
        self.inputs, self.absent = tuple(shapes), absent
        self.encoders = nn.ModuleDict({name: ENCODERS[encoder](shape) for name, shape in shapes.items()})
        imagined = hallucinator.privileged if hallucinator else ()
        self.slots = self.inputs + tuple(name for name in imagined if name not in shapes)
        self.fusion = MidFusion(len(self.slots))
        self.head = nn.Linear(WIDTH, outputs)
        self.hallucinator = hallucinator
        self.register_buffer("target_mean", torch.zeros(outputs))
        self.register_buffer("target_deviation", torch.ones(outputs))

    def embed(self, x: dict[str, Tensor]) -> Tensor:
        """(B, inputs, WIDTH), one token per modality."""
        return torch.stack([encode(x[name]) for name, encode in self.encoders.items()], dim=-2)

    def forward(self, x: dict[str, Tensor], visible: dict[str, Tensor]) -> Output:
        """x[modality] (B, ...), visible[modality] (B,) bool. A clip with nothing visible gets the bias alone."""
        seen = torch.stack([visible[name] for name in self.inputs], dim=-1)
        if self.absent != "mask":
            x, seen = self.impute(x, visible), seen | seen.any(-1, keepdim=True)
        tokens = self.embed(x)
        if self.hallucinator:
            tokens, seen = self.imagine(x, visible, tokens, seen)
        z = self.fusion(tokens, seen)
        return Output(self.head(z), z, tokens, seen)

    def impute(self, x: dict, visible: dict) -> dict:
        """x with absent modalities as zeros, or as NaN, which their encoders take for the training mean."""
        filling = 0.0 if self.absent == "zeros" else torch.nan
        masks = {name: visible[name].reshape(visible[name].shape + (1,) * (x[name].dim() - 1)) for name in self.inputs}
        return {name: torch.where(masks[name], x[name], filling) for name in self.inputs}

    def imagine(self, x: dict, visible: dict, tokens: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        known = torch.stack([visible[name] for name in self.hallucinator.encoders], dim=-1)
        fantasies = self.hallucinator(x, known).unbind(-2)
        possible = known.any(-1)  # with no prevalent input at all there is nothing to imagine from
        columns, flags = list(tokens.unbind(-2)), list(seen.unbind(-1))
        for name, fantasy in zip(self.hallucinator.privileged, fantasies, strict=True):
            if name in self.inputs:
                at = self.inputs.index(name)
                columns[at] = torch.where(flags[at][..., None], columns[at], fantasy)
                flags[at] = flags[at] | possible
            else:
                columns.append(fantasy)
                flags.append(possible)
        return torch.stack(columns, dim=-2), torch.stack(flags, dim=-1)
