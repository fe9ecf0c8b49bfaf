"""The research loop. Knows neither Slack nor SQL nor Docker."""
