# SPDX-License-Identifier: BSD-3-Clause
"""The measurements: what the gateway does in each, and beside whom."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """A configuration of the gateway, and what it is sent."""
    size: int = 64  # bytes of a frame, its FCS included
    keys: int = 1000
    partitions: int = 16
    groups: int = 1  # of one consumer each, that take the stream
    idle_consumers: int = 0  # of a stream that nothing is sent to
    workers: int = 1  # of which one receives; the partitions are spread over all
    everything: bool = False  # all that an operator can have switched on at all times


@dataclass(frozen=True)
class Case:
    """
    `peer` None: testpmd, on the same frames; otherwise the gateway in another shape. With `is_shared`
    testpmd is measured on the frames of both shapes, too: what the devices alone make of the
    difference.
    """
    name: str
    shape: Shape
    peer: Shape | None = None
    quick: bool = False
    is_shared: bool = False


PLAIN = Shape()
FEW = replace(PLAIN, keys=16)

CASES = (
    Case("forward_64", PLAIN, quick=True),
    Case("forward_128", replace(PLAIN, size=128)),
    Case("forward_512", replace(PLAIN, size=512), quick=True),
    Case("forward_1400", replace(PLAIN, size=1400), quick=True),
    Case("keys_1", replace(PLAIN, keys=1)),
    Case("keys_100k", replace(PLAIN, keys=100_000)),
    Case("keys_1m", replace(PLAIN, keys=1_000_000)),
    Case("keys_1m_1k", replace(PLAIN, keys=1_000_000), PLAIN, is_shared=True),
    Case("workers_2", replace(PLAIN, workers=2), PLAIN),
    Case("everything_64", replace(PLAIN, everything=True), PLAIN),
    Case("groups_2", replace(PLAIN, groups=2), PLAIN),
    Case("groups_4", replace(PLAIN, groups=4), PLAIN, quick=True),
    Case("groups_16", replace(PLAIN, groups=16), PLAIN),
    Case("consumers_1k", replace(PLAIN, idle_consumers=1_000), PLAIN),
    Case("consumers_10k", replace(PLAIN, idle_consumers=10_000), PLAIN, quick=True),
    Case("partitions_256", replace(FEW, partitions=256), FEW),
    Case("partitions_4096", replace(FEW, partitions=4096), FEW, quick=True),
)
