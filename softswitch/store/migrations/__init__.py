"""The numbered steps of the schema: `NNNN_name.sql`, each applied once, in order, whole or not at all.

Invariant: a step that was ever released is never changed; a change of the schema is a new step.
"""
