"""`python -m agent check`: what this host lacks to run containers and to be reached, each with its cure."""
