"""`etcd-dr drill`: rehearse a recovery, and see what rehearsals have shown. Words and columns are shared (`rows`)."""
