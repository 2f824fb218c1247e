"""`etcd-dr demo`: a whole story on a real cluster of this machine's own.

`command` parses and judges the end, `stage` sets up and clears away, `acts` are the story. Every act checks that what
it promises really happened: a demo that shows something else fails.
"""
