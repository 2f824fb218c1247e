"""Examining nodes for the doctor: short scripts that only read, and what their answers mean.

    questions   the scripts; each answer stands in a section of its own
    sections    answers told apart, also where the node fell silent in the middle
    evidence    answers of every platform: clocks, sockets, files, units, certificates, data directories
    pods, units the two platforms: which questions they add, and how etcd is meant to be started there
    node        asks a node one script after the other until its deadline

A node that hangs is evidence too: what was said before is kept, and the question that it hung at is named.
"""

from __future__ import annotations
