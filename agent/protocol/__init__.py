"""The wire contract between an agent and the control plane: values and framing, no IO, standard library only."""
