"""The agent: a container engine and the link that ties a host to the control plane."""
