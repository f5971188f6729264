# SPDX-License-Identifier: BSD-3-Clause
"""What is said of alternating runs."""

import statistics

NOISY = 0.15  # a spread above it is said to be one


def of_pairs(name, pairs, peer, unit, **more):
    """
    `pairs` are (ours, the peer's), each a value, or a value and the rate of the clock beside it.
    The ratio is the median of the pairs' ratios, its spread the part by which they differ.
    """
    pairs = [[side if isinstance(side, tuple) else (side, side) for side in pair]
             for pair in pairs]
    ratios = [ours[0] / theirs[0] for ours, theirs in pairs]
    ratio = statistics.median(ratios)
    spread = (max(ratios) - min(ratios)) / ratio

    def median(side, how):
        return round(statistics.median(pair[side][how] for pair in pairs))

    return {
        "name": name, "ratio": round(ratio, 4), "ours": median(0, 0), "peer": peer,
        "peer_value": median(1, 0), "unit": unit, "spread": round(spread, 4),
        "noisy": spread > NOISY, "ours_clock": median(0, 1), "peer_clock": median(1, 1),
        "ratios": [round(one, 4) for one in ratios],
        "ours_all": [round(ours[0]) for ours, _ in pairs], **more,
    }
