"""The command `notifier`: a module for each group of commands."""
