"""`etcd-dr kit`: make and test what must be had outside the cluster."""
