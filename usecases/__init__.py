"""Use cases, each written once: functions that API, commands, dashboard, gateway and tasks call."""
