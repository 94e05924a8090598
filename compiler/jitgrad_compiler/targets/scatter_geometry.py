"""What a scatter's kernels go by: x as [batch, places..., run], whose places indices address, and what sums of truth values are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..kernels.kernel import Kernel

BOOL_KINDS = {"add": "or", "mul": "and", "max": "or", "min": "and"}


@dataclass(frozen=True)
class Geometry:
    """Extents and strides (in elements) of a scatter."""

    batch: int
    batch_stride: int
    count: int
    """Index rows a batch."""
    places: tuple[tuple[int, int], ...]
    """(extent, stride) of each addressed axis."""
    leads: tuple[tuple[int, int], ...]
    """(extent, stride) of the whole axes before the last addressed one, neighbours merged."""
    run: int

    @property
    def lead(self) -> int:
        return math.prod(n for n, _ in self.leads)


def geometry_of(kernel: Kernel) -> Geometry:
    eqn = kernel.eqns[0]
    shape, indices = eqn.outputs[0].type.shape, eqn.inputs[1].type.shape
    axes, batch = eqn.params["axes"], eqn.params["batch"]
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    behind = axes[-1] + 1 if axes else batch
    leads: list[tuple[int, int]] = []
    for i in range(batch, behind):
        if i in axes:
            continue
        if i - 1 not in axes and i > batch:
            leads[-1] = (leads[-1][0] * shape[i], strides[i])
        else:
            leads.append((shape[i], strides[i]))
    return Geometry(
        batch=math.prod(shape[:batch]),
        batch_stride=math.prod(shape[batch:]),
        count=math.prod(indices[batch:-1]),
        places=tuple((shape[a], strides[a]) for a in axes),
        leads=tuple(leads),
        run=math.prod(shape[behind:]),
    )
