"""Slack events become durable jobs. Acknowledge, enqueue, return."""
