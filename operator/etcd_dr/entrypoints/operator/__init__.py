"""The long-running process: a scheduler, one keeper for each cluster, metrics and health answers.

It needs no Kubernetes. Everything it knows that must survive lies in the store; everything else is found again.
"""
