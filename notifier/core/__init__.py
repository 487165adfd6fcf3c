"""The types and rules, pure: no SQL, no broker, no socket, no clock of their own."""
