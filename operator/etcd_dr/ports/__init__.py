"""Protocols for what etcd-dr calls; their docstrings are the contract that fakes and real adapters both keep.

A port is named for the capability. Every port has one contract suite under tests/contract that runs over its fake
and its real adapters alike. Ports know domain values and errors, and nothing of any library.
"""
