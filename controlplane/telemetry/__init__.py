"""History of CPU, memory, network and disk use."""
