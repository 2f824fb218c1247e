"""Our own declaration of Talos' wire contract, and the stubs generated from it (README.md, docs/adr/0001).

`*.proto` is the source; every `*_pb2*` and `*_grpc.py` file is made by `make stubs` and never edited by hand.
"""
