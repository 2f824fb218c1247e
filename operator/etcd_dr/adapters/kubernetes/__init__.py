"""The Kubernetes API as an optional partner: requests and records, events, and the lease of each protected cluster.

- Nothing that protects etcd needs it. It may hang, refuse or vanish at any moment, and that is an answer.
- Every call has hard timeouts and no hidden retries: `client` is the one way out, and `failures` translates what
  comes back. Objects are plain JSON documents: typed models of the library would refuse what a newer server adds.
- Adapters in here bind one port each, over the same client.
"""
