"""The program that turns an archive into files: a child process shut into the folder that it fills.

It is given hostile input by design, so it imports nothing of the engine but system calls and decompression.
"""
