"""Wenju beside others: the same documents, questions and weights, in one run. See `eval.peers.__main__`.

Each peer is one small file and imports its framework only when it is made; the frameworks are the extra `peers`.
"""
