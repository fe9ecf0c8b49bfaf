"""A local workspace that speaks Slack's wire protocol, with a page. Imports nothing of ours."""
