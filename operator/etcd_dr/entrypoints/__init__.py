"""The doors of etcd-dr: the command and the operator process.

Only here are arguments parsed, errors caught, things printed and processes ended. A door asks bootstrap for the parts,
calls one workflow, and renders what comes back; it decides nothing that a workflow could decide.
"""
