"""Workflow files: lead syncs and event routes in a few lines of YAML, read strictly, every mistake explained."""
