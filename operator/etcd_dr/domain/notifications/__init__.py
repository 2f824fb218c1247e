"""What is worth a message to people, and when: conditions, the ledger of what was told, and the messages.

Everything here is pure. `conditions` reads what is known of a cluster, `ledger` decides what has to be said now,
`message` is what a receiver gets. Adapters put a message into words of a chat or of JSON; the operator's desk keeps
the ledgers and sends.
"""
