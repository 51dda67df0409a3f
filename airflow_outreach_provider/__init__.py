"""Apache Airflow provider for outreach: leads out once, contact events in and on, every retry visible."""

__version__ = "0.1.0"
