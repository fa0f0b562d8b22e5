"""Run Longshore on one machine: secrets, TLS, supervised processes, the machine's own agent or demo hosts.

``scripts/up`` and ``scripts/down`` install what Python needs and then hand over to this package (``python -m
scripts.launch``). Where systemd or containers supervise instead, the Procfile is used as it is and none of this runs.
"""
