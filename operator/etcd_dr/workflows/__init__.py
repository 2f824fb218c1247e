"""What etcd-dr does, one verb per module: each takes ports and values, and returns values.

Workflows decide first and act later, never read a clock or the environment, never print, and never catch bare
`Exception`. They know ports, domain and the database reader, and no adapter.
"""
