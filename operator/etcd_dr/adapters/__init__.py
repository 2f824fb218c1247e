"""Each package here binds one port to one technology, and none knows another.

Adapters translate every error of their library into ours, inside iteration too, and chain the cause. They hold no
rules: what to do about an answer is decided in workflows and domain.
"""
