"""Evaluation: sets of questions, metrics, runs that repeat byte for byte, comparisons and reports.

Flow: `sets` (or `importers`, `generators`) → `runs.run` with an injected `Asker` → `scoring` writes one
record a question → `aggregate` → `report` and `compare`.
"""
