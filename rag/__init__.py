"""Wenju (文据): question answering over official documents, every sentence with its evidence."""

__version__ = "0.1.0"

import os

# OpenMP's threads wait asleep. Spinning, as they do by default, a question is embedded 20 to 80 times slower as soon as
# anything else uses the processor. Read once, when torch loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
