"""`etcd-dr snapshot …`: one module per command, and what they show in common (`documents`, `rows`, `choosing`)."""
