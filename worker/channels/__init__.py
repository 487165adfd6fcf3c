"""The built-in channels: email and push. Each is a `notifier.channels.Channel`."""
