"""`python -m etcd_dr.entrypoints.cli`: the command where its script is not installed."""

from etcd_dr.entrypoints.cli import main

main()
