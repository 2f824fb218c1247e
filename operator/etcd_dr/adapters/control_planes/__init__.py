"""Nodes that run etcd, driven from outside: as plain processes, as systemd units, as kubeadm's static pods.

    call             one program on this machine with streams, deadline and cancellation
    shell            what runs a script on a node; `local_shell` here, `ssh` over the user's own OpenSSH
    scripts          the POSIX shell that every node understands
    data_directory   set aside, place, put back, copy off: the same on every platform
    sighting         the head of the WAL and database pages, read by range
    flags            etcd's command line and environment, understood and changed
    node             the port's Node, made of a shell, a data directory and a service
    local_process, systemd_unit, static_pod     the services: how etcd is started and stopped
    plane            the nodes of one cluster

They live together because a service differs from the others in a few calls only, and everything that can lose data
is shared. Rules:
- Nothing is installed on a node: a POSIX shell, coreutils and tar are enough.
- No text from outside is ever part of a script: it is an argument.
- What is remembered on a node between two calls lies in a place named by the recovery's id.
"""

from __future__ import annotations
