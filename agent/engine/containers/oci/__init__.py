"""From what was asked and what is there to the OCI specification that the runtime gets."""
