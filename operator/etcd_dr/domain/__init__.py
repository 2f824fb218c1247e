"""Frozen values and pure rules: what etcd-dr knows and decides.

Nothing here reads a clock, a file or a socket; time arrives as an aware UTC `datetime`. The parts live together
because they speak the same words (docs/architecture.md, "Words") and any of them may be stored or sent as it is.
"""
