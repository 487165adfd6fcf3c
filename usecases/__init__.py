"""Use cases, once each: functions that API, commands, dashboard, gateway and tasks call alike."""
