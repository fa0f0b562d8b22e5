"""Images from Dockerfiles: lexer, parser, plan and executor of the classic build API."""
