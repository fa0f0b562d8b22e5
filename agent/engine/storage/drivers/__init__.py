"""How a container gets a file system of its own above an image's layers: one of three ways a data root."""
