"""The bodies of the HTTP API as models, to check input and describe output."""
