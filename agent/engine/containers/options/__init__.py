"""What a client may ask of a container: checked, completed and refused by name. No module here changes anything."""
