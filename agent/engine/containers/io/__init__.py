"""A container's stdio and further processes in it: attach and exec."""
