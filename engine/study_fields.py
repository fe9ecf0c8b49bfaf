"""The field that an idea comes from, read off the words of its inspiration: rough, and the same for every source."""

from __future__ import annotations

import re

NOT_SAID = "not said"
MACHINE_LEARNING = "machine learning"  # what names no other field: a published component, a trick of the trade

# The first that fits counts, so that "statistical physics" is physics and "neural collapse" is not biology.
_FIELDS = {
    "physics": r"physic|quantum|thermodynam|mechanic|optic|relativ|soliton|superconduct|radiation|magnet|oscillat|"
    r"kuramoto|hydraul|tribolog|spring|criticality|gravit|electric",
    "biology and neuroscience": r"biolog|neurosci|physiolog|neuron|spiking|ecolog|evolution|bacteri|psycho|dendrit|"
    r"immun|cortical|decision making",
    "chemistry and materials": r"chemi|material|titration|catal|crystal|diffusion",
    "signals, music and control": r"signal|audio|music|telecom|filter|wavelet|gabor|control|quantis|compand|kalman|"
    r"coding theory|frequency",
    "economics and games": r"econom|auction|prospect|portfolio|gambl|game theor|market|finance",
    "statistics": r"statist|estimator|bayes|huber|winsor|regression|rank transform|probabil",
    "mathematics": r"mathemat|geometr|algebra|analysis|special function|number theory|topolog|symmetr|homogene|"
    r"approximation theor|lambert|pade",
    "graphics and engineering": r"graphics|engineer|smoothstep",
}
_PATTERNS = {field: re.compile(pattern, re.IGNORECASE) for field, pattern in _FIELDS.items()}


def field_of(inspiration: str) -> str:
    """One of the fields above; MACHINE_LEARNING when the words name none, NOT_SAID when there are none."""
    if not inspiration.strip():
        return NOT_SAID
    return next((field for field, pattern in _PATTERNS.items() if pattern.search(inspiration)), MACHINE_LEARNING)
