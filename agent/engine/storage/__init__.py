"""Bytes on disk: pulled blobs, unpacked layers, and the writable layers on top of them."""
