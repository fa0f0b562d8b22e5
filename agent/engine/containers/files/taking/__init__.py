"""The program that looks into a container's file system from inside it: stats a path, or writes it as a tar.

The tree is hostile: it changes while it is read, its links point at the host's files, its names are whatever its
processes like. So it is a child process that has the container's root for its own.
"""
