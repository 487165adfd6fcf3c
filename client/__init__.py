"""The browser client: modules, bundle and types, served under `/client/`."""
