"""The small models, as fitted on development data by `python -m eval.fit`, `eval.fit_sentences`, `eval.fit_points` and `eval.fit_support`: numbers only,
kept in fitted.json."""

import json
from functools import cache
from pathlib import Path

import numpy as np

FITTED = Path(__file__).with_name("fitted.json")
FEATURES = (
    "late",  # late interaction, weighted
    "weakest",  # the same over the worst-met fifth of the tokens that matter
    "coverage",  # weighted share of the question's bigrams that the passage has
    "bigrams", "words",  # BM25 over the best score possible
    "dense",  # cosine
    "document",  # BM25 of the whole document over the best score possible
    "document_coverage",  # weighted share of the question's bigrams that the document has
    "missing",  # the weightiest bigram the document lacks, over the weightiest there could be
    "value",  # 1 when the passage has a value of the kind asked for, or none is asked for
)
"""What retrieval measures of a passage, in the order of the weights."""

SENTENCE = (
    "one", "beside_best", "share", "worth", "neighbour", "before",  # what it says, beside the passage's best and its neighbours
    "length", "short", "unfinished", "leads", "last", "many",  # what it looks like
    "value", "value_elsewhere",  # whether it has the value asked for, or another one has
    "nth", "titled",  # how many passages of its document come before; whether the section's heading says what is asked
)
"""What `rag.relevance` measures of a sentence, in the order of the weights."""

POINT = (
    "said", "before", "after",  # what the run says of the question, over all that its evidence says; what stands outside it
    "new", "new_said",  # what it says besides, alone and times what it says of the question
    "first", "next",  # what its first clause says, and the one after its last
    "value", "no_value",  # whether it has the value asked for
    "ends", "leads_on", "stops",  # at the end of a sentence; saying that something follows; how many sentences end inside
    "place", "length",
)
"""What `rag.points` measures of a run of clauses, in the order of the weights."""


@cache
def weights(model: str, part: str) -> np.ndarray:
    """Weights of `model`, float64, read-only: "ranking", "gate" or "size" (see `rag.gate`) for questions in "zh" or "other";
    "sentence": its "weights", and the least sum by which a sentence stays where "one" or "several" answer; "point": the "weights" of a run of clauses, and those of what is seen "beside" other evidence; "support": what
    is "enough", and how near is "close", for `rag.verification`."""
    values = json.loads(FITTED.read_text(encoding="utf-8"))
    out = np.array(values[model][part], np.float64)
    out.flags.writeable = False
    return out
