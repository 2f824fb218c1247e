"""The composition root: configuration in, adapters and ports for workflows out. It holds no rules.

One module for each kind of part, so that a command imports the libraries of the parts it asks for and no others:
listing snapshots of a directory needs neither gRPC nor boto3.
"""
