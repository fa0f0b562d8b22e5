"""What containers have written: files, rotation, drivers, readers."""
