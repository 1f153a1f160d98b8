"""Texts that repeat themselves an unforeseeable number of times.

Each repetition ends with the same chance, so that going on is always the likeliest
choice: greedy decoding never leaves the loop, and sampling soon does.
"""

from .stories import cast
from .words import expand

GO_ON = 0.82

# (opening, repeated part, ending)
REFRAINS = [
    ("The wheel went round", " and round", [". Then it stopped.", ", until the sun went down.", ", and nobody could stop it."]),
    ("It rained", " and rained", [". Then the sun came out.", ", and the river grew wide.", " until the morning."]),
    ("The clock said tick tock", ", tick tock", [". Then it was time for bed.", ". It was midnight.", ", and {N} fell asleep."]),
    ("{N} ran", " and ran", [". At last, {he} was home.", " until {he} was tired.", ". Then {he} stopped and looked back."]),
    ("The little ball went up the hill and down the hill.", " Then it went up the hill and down the hill.",
     [" Then it rolled into the river.", " At last, it was tired and lay still.", " Then {N} caught it."]),
    ("{N} climbed up", " and up", [" until {he} could see the sea.", ". At last, {he} was at the top.", ". Then {he} looked down."]),
]


def refrain(rng):
    """One refrain, repeated at least twice."""
    opening, part, endings = rng.choice(REFRAINS)
    text = opening + part * 2
    while rng.random() < GO_ON and len(text) < 900:
        text += part
    return expand(rng, text + rng.choice(endings), cast(rng, "child"))
