"""What watches the service: logs, metrics, alert rules with their scenarios, a dashboard."""
