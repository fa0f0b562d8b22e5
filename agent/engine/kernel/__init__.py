"""One module per Linux facility. Nothing here knows of containers."""
