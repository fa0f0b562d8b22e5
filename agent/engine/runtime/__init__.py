"""The thin layer over the OCI runtime: crun (or runc) started under conmon, and how each process ended."""
