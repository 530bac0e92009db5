"""The service: the HTTP API, jobs that outlive their requests, schedules and the dashboard, on the runner's functions.

Its parts need the extra `ogf[serve]`.
"""
