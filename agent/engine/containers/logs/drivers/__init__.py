"""Docker's log drivers. Every container's output is in conmon's file first; a driver says what is kept of it and where
else it goes.
"""
