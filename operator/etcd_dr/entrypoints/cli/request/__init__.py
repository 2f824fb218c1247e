"""`etcd-dr request`: ask the operator in the cluster, through the Kubernetes API, and wait for its answer."""
