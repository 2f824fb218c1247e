"""The real things that tests run against, as processes on loopback: S3 servers, a proxy that breaks, a busy client.

Each peer is a class that starts and ends one thing and knows nothing of pytest; `fixtures` hands them to tests.
Children die with the test process (`etcd_dr.adapters.local_cluster.child`), even when that is killed.
"""
