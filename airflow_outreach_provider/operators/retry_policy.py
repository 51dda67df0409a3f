"""Where DAGs find the retry policy; it lives with the hooks, because the sensor has it too."""

from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy

__all__ = ["OutreachRetryPolicy"]
