"""The normal distribution of `numpy.random.default_rng(0).normal`, number for number, without numpy.

The recording's figures (README.md) were measured with noise from numpy; other noise moves the measured pitch by some
Hz. This gives the same samples on any machine with nothing installed: PCG64 (M. O'Neill, "PCG: A Family of Simple Fast
Space-Efficient Statistically Good Algorithms", 2014) and the ziggurat method (Marsaglia and Tsang, 2000) with 256
layers, as numpy arranges them.
"""

import math
from collections.abc import Callable, Iterator

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
SEEDED_STATE = 0x1AA1B5345996452D09585EB7A69561E3  # numpy.random.default_rng(0).bit_generator.state
INCREMENT = 0x418DDADB3AF71A82588133BC447873A9
MASK_64, MASK_128 = (1 << 64) - 1, (1 << 128) - 1

LAYERS = 256
TAIL = 3.6541528853610087963519472518  # where the lowest layer's rectangle ends
MANTISSA = 1 << 52


def pcg64() -> Callable[[], int]:
    """A generator of 64 random bits a call, from the fixed seed."""
    state = SEEDED_STATE

    def next_64_bits() -> int:
        nonlocal state
        state = (state * MULTIPLIER + INCREMENT) & MASK_128
        folded = (state >> 64) ^ (state & MASK_64)
        turn = state >> 122
        return (folded >> turn | folded << (64 - turn)) & MASK_64

    return next_64_bits


def ziggurat() -> tuple[list[int], list[float], list[float]]:
    """Per layer: the mantissas that are surely inside, the width of one mantissa step, and the density at its edge."""
    inside, width, density = [0] * LAYERS, [0.0] * LAYERS, [0.0] * LAYERS
    edge = TAIL
    area = edge * math.exp(-edge * edge / 2) + math.sqrt(math.pi / 2) * math.erfc(edge / math.sqrt(2))
    base = area / math.exp(-edge * edge / 2)
    inside[0], width[0], density[0] = int(edge / base * MANTISSA), base / MANTISSA, 1.0
    width[-1], density[-1] = edge / MANTISSA, math.exp(-edge * edge / 2)
    for layer in range(LAYERS - 2, 0, -1):
        above = math.sqrt(-2 * math.log(area / edge + math.exp(-edge * edge / 2)))
        inside[layer + 1] = int(above / edge * MANTISSA)
        edge = above
        width[layer], density[layer] = edge / MANTISSA, math.exp(-edge * edge / 2)
    return inside, width, density


def standard_normal() -> Iterator[float]:
    """Endless; mean 0, standard deviation 1.

    >>> from itertools import islice
    >>> [round(x, 8) for x in islice(standard_normal(), 3)]
    [0.12573022, -0.13210486, 0.64042265]
    """
    next_64_bits = pcg64()
    inside, width, density = ziggurat()

    def uniform() -> float:
        return (next_64_bits() >> 11) / (1 << 53)

    while True:
        bits = next_64_bits()
        layer, negative, mantissa = bits & 0xFF, bits >> 8 & 1, bits >> 9 & (MANTISSA - 1)
        x = mantissa * width[layer]
        signed = -x if negative else x
        if mantissa < inside[layer]:
            yield signed
        elif layer == 0:
            while True:
                beyond, other = -math.log1p(-uniform()) / TAIL, -math.log1p(-uniform())
                if other + other > beyond * beyond:
                    break
            yield -(TAIL + beyond) if mantissa >> 8 & 1 else TAIL + beyond
        elif (density[layer - 1] - density[layer]) * uniform() + density[layer] < math.exp(-x * x / 2):
            yield signed
