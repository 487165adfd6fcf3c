"""Logs, metrics, alert rules with their test scenarios, and a dashboard."""
