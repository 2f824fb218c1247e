"""One honest fake per port: real behaviour in memory, with knobs for the faults that are hard to make on purpose.

A fake passes the same contract suite as the real adapter (tests/contract); what it cannot do, it refuses loudly.
"""
