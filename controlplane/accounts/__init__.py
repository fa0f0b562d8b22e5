"""Users, roles as rows of rights, API tokens, sign-in."""
